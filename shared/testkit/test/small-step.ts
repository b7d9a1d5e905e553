import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readCompose } from '@workshop/backends/compose-file';
import { whyNoContainers } from '@workshop/backends/lane';
import { cleanEnv } from '@workshop/testkit/app';
import { execa, type Options } from 'execa';

const testkit = join(import.meta.dirname, '..');
export const steps = join(testkit, '../../steps');
const vitest = dirname(createRequire(import.meta.url).resolve('vitest/package.json'));

export const jaeger = String((await readCompose(join(steps, '02-jaeger'))).services.jaeger?.image);
export const prometheus = String((await readCompose(join(steps, '03-prometheus'))).services.prometheus?.image);

/** Why there are no containers to test with; undefined where there are. */
export const noContainers = await reason();

async function reason(): Promise<string | undefined> {
  if (process.env.BACKENDS === 'local') return 'BACKENDS=local';
  const found = await whyNoContainers({ services: { jaeger: { image: jaeger }, prometheus: { image: prometheus } } });
  if (found && process.env.BACKENDS === 'containers') throw new Error(`BACKENDS=containers, but ${found}.`);
  return found;
}

/** The compose.yaml of a Jaeger with more lines of its own, indented by four spaces. */
export function jaegerCompose(...lines: string[]): string {
  return ['services:', '  jaeger:', `    image: ${jaeger}`, '    stop_grace_period: 1s', ...lines].join('\n');
}

/** Ports that the tests may choose. */
export const freePorts = `    ports: ["127.0.0.1:\${JAEGER_UI_PORT-16686}:16686", "127.0.0.1:\${OTLP_PORT-4318}:4318"]`;

/** A step in a folder of its own outside of the repository, with a temporary folder of its own: it must be empty in the end. */
export async function smallStep(files: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), 'small-step-'));
  const temporary = join(dir, 'tmp');
  for (const folder of ['tmp', 'test', 'node_modules/@workshop']) await mkdir(join(dir, folder), { recursive: true });
  await symlink(testkit, join(dir, 'node_modules/@workshop/testkit'), 'junction');
  await symlink(vitest, join(dir, 'node_modules/vitest'), 'junction');
  const all = {
    'package.json': '{ "type": "module", "scripts": { "start": "node app.js" } }',
    'vitest.config.ts': `import { lesson } from '@workshop/testkit/vitest'; export default lesson();`,
    'compose.yaml': jaegerCompose(freePorts),
    'test/small.test.ts': `import { test } from 'vitest';\ntest('passes', () => {});`,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) await writeFile(join(dir, name), text);
  return {
    dir,
    /** Runs its tests, in a process group of their own. */
    test(env: Record<string, string> = {}) {
      const options = {
        cwd: dir,
        env: { ...cleanEnv(), BACKENDS: '', WITHOUT: '', NO_COLOR: '1', TMPDIR: temporary, TEMP: temporary, ...env },
        extendEnv: false,
        all: true,
        detached: true,
        reject: false,
      } satisfies Options;
      return execa(process.execPath, [join(vitest, 'vitest.mjs'), 'run'], options);
    },
    temporary,
    /** The folders of what is kept for its tests. */
    async kept() {
      return (await readdir(temporary)).filter((name) => name.startsWith('otel-workshop-'));
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** The containers, networks and volumes of a Compose project. */
export async function resources(project: string): Promise<string[]> {
  const lists = ['ps --all', 'network ls', 'volume ls'].map(async (list) => {
    const filter = ['--quiet', '--filter', `label=com.docker.compose.project=${project}`];
    const { stdout } = await execa('docker', [...list.split(' '), ...filter]);
    return stdout.split('\n').filter(Boolean);
  });
  return (await Promise.all(lists)).flat();
}

/** All processes below one, and itself. */
export async function family(pid: number | undefined): Promise<number[]> {
  const { stdout } = await execa('ps', ['-A', '-o', 'pid=,ppid=']);
  const processes = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] => [
    parent,
    ...processes.filter(([, ppid]) => ppid === parent).flatMap(([child = 0]) => below(child)),
  ];
  return below(Number(pid));
}

/** Those of the processes that still run. One that only waits for its parent to read its exit code (Z) does not. */
export async function alive(pids: number[]): Promise<number[]> {
  const { stdout } = await execa('ps', ['-o', 'pid=,stat=', '-p', pids.join(',')], { reject: false });
  return stdout
    .split('\n')
    .filter((line) => /\d/.test(line) && !/\sZ/.test(line))
    .map((line) => Number.parseInt(line, 10));
}
