// A detached process that takes down what a test run started when that run ends, however it ends: its stdin closes then.
// Arguments: a folder to remove, then `compose PROJECT`, or `node PROGRAM ...` to run that program in the folder.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

const DOCKER_TIMEOUT_MS = 20_000;
const GIVE_UP_MS = 60_000;
const LOOKS_AFTER_A_KILL = 5;

const [folder = '', kind, ...args] = process.argv.slice(2);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const ended = once(process.stdin, 'close');
let asked = false;
process.stdin
  .on('error', () => {})
  .on('data', () => {
    asked = true;
  });

if (kind === 'node') await run();
else await takeDown(String(args[0]));
await rm(folder, { recursive: true, force: true });

async function run(): Promise<void> {
  const program = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'inherit', 1], windowsHide: true });
  const exited = once(program, 'exit');
  ended.then(() => program.kill('SIGKILL'));
  await exited;
  process.stdin.destroy();
}

/** A killed test run may leave a `compose up` behind that still creates containers: look again for a while. */
async function takeDown(project: string): Promise<void> {
  await ended;
  const deadline = Date.now() + GIVE_UP_MS;
  let looks = asked ? 1 : LOOKS_AFTER_A_KILL;
  while (Date.now() < deadline) {
    await docker('compose', '-p', project, 'down', '--volumes', '--timeout', '1');
    const { exitCode, stdout } = await docker(
      'ps',
      '--all',
      '--quiet',
      '--filter',
      `label=com.docker.compose.project=${project}`,
    );
    if (exitCode === 0 && stdout === '') looks -= 1;
    if (looks === 0) return;
    await sleep(1_000);
  }
  process.exitCode = 1;
}

async function docker(...args: string[]) {
  return execa('docker', args, { reject: false, timeout: DOCKER_TIMEOUT_MS });
}
