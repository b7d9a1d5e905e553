import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export type Step = {
  /** Two digits. */
  number: string;
  /** Its folder's name, such as 01-console. */
  name: string;
  /** Its folder. */
  dir: string;
};

/** The folder of the repository. */
export const root = join(import.meta.dirname, '..', '..', '..');

/** All steps, in order. */
export const steps: Step[] = readdirSync(join(root, 'steps'))
  .filter((name) => /^\d\d-/.test(name))
  .sort()
  .map((name) => ({ number: name.slice(0, 2), name, dir: join(root, 'steps', name) }));

/** The step that `text` names: 2, 02 or 02-jaeger; undefined if it names none. */
export function findStep(text: string): Step | undefined {
  return steps.find(({ number, name }) => text.padStart(2, '0') === number || text === name);
}

/** The step after; undefined for the last. */
export function after(step: Step): Step | undefined {
  return steps[steps.indexOf(step) + 1];
}

/** The step before; undefined for the first. */
export function before(step: Step): Step | undefined {
  return steps[steps.indexOf(step) - 1];
}
