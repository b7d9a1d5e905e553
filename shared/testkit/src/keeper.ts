// A detached process that takes down what a test run started when that run ends, however it ends: its stdin closes then.
// Arguments: a folder to remove, then `compose PROJECT` or `process PID`.
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

const [folder = '', kind, id = ''] = process.argv.slice(2);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

process.stdin.resume().on('close', async () => {
  if (kind === 'compose') await takeDown(id);
  else process.kill(Number(id), 'SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** A killed test run may leave a `compose up` behind that still creates containers: look again until none is left. */
async function takeDown(project: string): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    await execa('docker', ['compose', '-p', project, 'down', '--volumes', '--timeout', '1'], { reject: false });
    if (attempt > 0) await sleep(1_000);
    const label = `label=com.docker.compose.project=${project}`;
    const left = await execa('docker', ['ps', '--all', '--quiet', '--filter', label], { reject: false });
    if (left.stdout === '') return;
  }
}
