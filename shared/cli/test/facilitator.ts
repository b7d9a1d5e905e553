import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '@workshop/lessons/steps';

/** The trainer's guide. */
export const guide = await readFile(join(root, 'FACILITATOR.md'), 'utf8');

/** Its table of the capstone's faults: the number, the alerts and whose they are, and the cause. */
export const faults = [...guide.matchAll(/^\| (\d) \| (.+) \| (.+) \|$/gm)].map(([, number, alerts, cause]) => ({
  number: String(number),
  alerts: [...String(alerts).matchAll(/`(.+?)`/g)].map(([, alert]) => String(alert)).sort(),
  cause: String(cause),
}));
