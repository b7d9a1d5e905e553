// A detached process that takes down what a test run started when that run ends, however it ends: its stdin closes then.
// Arguments: a folder to remove, then `compose PROJECT`, or `node PROGRAM ...` to run that program in the folder; or an
// empty one and `groups`, and process groups on stdin.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

const DOCKER_TIMEOUT_MS = 20_000;
const GIVE_UP_MS = 60_000;
const LOOKS_AFTER_A_KILL = 3;

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
else if (kind === 'groups') await killGroups();
else await takeDown(String(args[0]));
if (folder) await rm(folder, { recursive: true, force: true });

async function run(): Promise<void> {
  const program = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'inherit', 1], windowsHide: true });
  const exited = once(program, 'exit');
  ended.then(() => program.kill('SIGKILL'));
  await exited;
  process.stdin.destroy();
}

/** Each line names the leader of a process group to kill, or, after a minus, one that has ended. */
async function killGroups(): Promise<void> {
  const leaders = new Set<number>();
  createInterface({ input: process.stdin }).on('line', (line) => {
    const leader = Number(line);
    if (leader > 1) leaders.add(leader);
    else leaders.delete(-leader);
  });
  await ended;
  for (const leader of leaders) {
    if (process.platform === 'win32') await execa('taskkill', ['/pid', String(leader), '/T', '/F'], { reject: false });
    else killGroup(leader);
  }
}

/** Not with the kill command: that of procps 4.0 takes `-9 -1999` for `-1`, every process there is. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended.
  }
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
