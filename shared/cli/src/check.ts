import { existsSync } from 'node:fs';
import { emitKeypressEvents } from 'node:readline';
import { readState } from '@workshop/lessons/state';
import { after, root } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { createVitest } from 'vitest/node';
import { playground, stepOf } from './playground.ts';

/** Runs the lesson's tests of the playground's step on what is in it. Returns the exit code. */
export async function check({ json = false }): Promise<number> {
  const { exitCode = 1 } = await execa('vitest', ['run'], {
    cwd: playground,
    env: json ? { WORKSHOP_CHECK: 'json' } : {},
    preferLocal: true,
    localDir: root,
    stdio: 'inherit',
    reject: false,
  });
  return exitCode;
}

const KEYS = 'Keys: h hint, d diff, n next step, q quit.';
const COMMANDS: Record<string, string[]> = { h: ['hint'], d: ['diff'] };

/** Checks whenever a file of the playground is saved, with the backends kept up, until q or Ctrl-C. Returns the exit code. */
export async function checkAgain(): Promise<number> {
  process.chdir(playground);
  const vitest = await createVitest('test', { watch: true });
  const { stdin } = process;
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    if (!stdin.isTTY) return;
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    stdin.on('keypress', (_text, { name, ctrl }) => {
      if (name === 'q' || (ctrl && name === 'c')) resolve();
      else if (ctrl) return;
      else if (COMMANDS[name])
        execa('workshop', COMMANDS[name], {
          preferLocal: true,
          // A pager would take the keys.
          env: { GIT_PAGER: 'cat' },
          stdio: ['ignore', 'inherit', 'inherit'],
          reject: false,
        });
      else if (name === 'n') console.log(next());
    });
    console.log(KEYS);
  });
  await Promise.race([vitest.start().then(() => ended), ended]);
  console.log(existsSync('compose.yaml') ? 'Taking the backends down ...' : 'Ending ...');
  await vitest.close();
  // A terminal that is listened to keeps the program alive.
  if (stdin.isTTY) stdin.setRawMode(false).pause();
  return readState(playground).last?.failure ? 1 : 0;
}

function next(): string {
  const step = stepOf();
  const following = step && after(step);
  return following ? `q ends this. Then: npx workshop begin ${following.number}` : 'This is the last step.';
}
