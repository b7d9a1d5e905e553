import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** Takes down what is kept, and waits for it. */
export type TakeDown = () => Promise<void>;

/** Has a Compose project taken down and `folder` removed when this process ends, also when it is killed. */
export async function keep(folder: string, project: string): Promise<TakeDown> {
  const { stop } = await startKeeper(folder, 'compose', project);
  return async () => {
    if (await stop()) return;
    console.error(
      `Docker did not take the containers down. When it answers again: docker compose -p ${project} down -v`,
    );
  };
}

/**
 * Runs a Node program in `folder`. It ends, and the folder is removed, when this process ends, also when it is killed.
 * `output` is all it prints, and ends with it.
 */
export async function runKept(folder: string, args: string[]): Promise<{ output: Readable; stop: TakeDown }> {
  const { output, stop } = await startKeeper(folder, 'node', ...args);
  return { output, stop: async () => void (await stop()) };
}

let groups: ChildProcessByStdio<Writable, null, null> | undefined;

/** Has a process group killed when this process ends, also when it is killed, unless it has been forgotten before. */
export function keepGroup(leader: number): { forget(): void } {
  groups ??= spawn(process.execPath, [join(import.meta.dirname, 'keeper.ts'), '', 'groups'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    windowsHide: true,
  });
  const { stdin } = groups;
  if (stdin.listenerCount('error') === 0) stdin.on('error', () => {});
  // It does not keep this process from ending.
  groups.unref();
  if (stdin instanceof Socket) stdin.unref();
  stdin.write(`${leader}\n`);
  return { forget: () => stdin.write(`-${leader}\n`) };
}

async function startKeeper(folder: string, ...task: string[]) {
  const keeper = spawn(process.execPath, [join(import.meta.dirname, 'keeper.ts'), folder, ...task], {
    // A session of its own: what ends a terminal's programs does not end it.
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    windowsHide: true,
  });
  const gone = once(keeper, 'exit');
  await once(keeper, 'spawn');
  // It may be gone already.
  keeper.stdin.on('error', () => {});
  const stop = async () => {
    keeper.stdin.end('stop');
    keeper.stdout.resume();
    const [exitCode] = await gone;
    return exitCode === 0;
  };
  return { output: keeper.stdout, stop };
}
