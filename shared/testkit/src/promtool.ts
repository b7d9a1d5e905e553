import { readCompose } from '@workshop/backends/compose-file';
import { execa } from 'execa';

/** Runs promtool, which is in Prometheus's image, in the step's folder. */
export async function promtool(args: string[], input = '') {
  const step = process.cwd();
  const image = String((await readCompose(step)).services.prometheus?.image);
  const run = ['run', '--rm', '--interactive', '--volume', `${step}:/step:ro`, '--workdir', '/step'];
  const { exitCode, all } = await execa('docker', [...run, '--entrypoint', '/bin/promtool', image, ...args], {
    input,
    all: true,
    reject: false,
  });
  return { exitCode, all };
}
