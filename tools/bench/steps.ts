import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, type Step, steps } from '@workshop/lessons/steps';

export const STEP_04 = join(root, 'steps/04-propagation');
export const STEP_05 = join(root, 'steps/05-collector-grafana');

/** The steps that hold `file`, in order. */
export function stepsWith(file: string): Step[] {
  return steps.filter(({ dir }) => existsSync(join(dir, file)));
}
