import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Takes down what is kept, and waits for it. */
export type TakeDown = () => Promise<void>;

/** Has `kind` `id` taken down and `folder` removed when this process ends, also when it is killed. */
export async function keep(folder: string, kind: 'compose' | 'process', id: string): Promise<TakeDown> {
  const keeper = spawn(process.execPath, [join(import.meta.dirname, 'keeper.ts'), folder, kind, id], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(keeper, 'spawn');
  const gone = once(keeper, 'exit');
  return async () => {
    keeper.stdin.end();
    await gone;
  };
}
