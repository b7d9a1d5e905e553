import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { layDown } from '@workshop/lessons/begin';
import { root, type Step } from '@workshop/lessons/steps';

/**
 * Makes what `workshop begin` makes, beside the attendee's, or with `solved` the solution. Without the file that says how
 * far it is: its tests do not stop at the first that fails. Removed by `await using`.
 */
export async function makePlayground(step: Step, solved: boolean) {
  const dir = await mkdtemp(join(root, '.copy-'));
  await layDown(step, dir, solved);
  await chmod(dir, 0o755); // containers read in it, and not as root
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}
