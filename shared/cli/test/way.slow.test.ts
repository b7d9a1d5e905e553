// The whole way of an attendee: what the READMEs say turns every step from red to green.

import { after, steps } from '@workshop/lessons/steps';
import { fencesIn, sectionOf } from '@workshop/testkit/readme';
import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';

const workshop = await copyWorkshop();
const { playground, run, read } = workshop;
afterAll(workshop[Symbol.asyncDispose]);

test.each(steps)('$name: red with one message, a hint, the solutions of the README, green', async (step) => {
  await run(['begin', step.number]);
  const red = await run(['check']);
  expect(red.exitCode, red.stdout).toBe(1);
  expect(red.stdout.match(/^ +FAIL /gm), red.stdout).toHaveLength(1);
  expect(red.stdout.match(/Look at: /g), red.stdout).toHaveLength(1);

  const doIt = sectionOf(await read('README.md'), 'Do it');
  const [, firstHint] = /<summary>Hint<\/summary>\n\n(.*?)\n\n<\/details>/s.exec(doIt) ?? [];
  const hint = await run(['hint']);
  expect(hint.stdout, red.stdout).toContain(firstHint);

  for (const solution of fencesIn(doIt, 'diff').filter((diff) => diff.includes('b/src/'))) {
    await execa('git', ['apply', '-'], { cwd: playground, input: solution });
  }
  // No task is open any more, and the last check is the red one.
  expect((await run(['hint'])).stdout).toContain('The last check says: look at');
  const green = await run(['check']);
  expect(green.exitCode, green.stdout).toBe(0);
  const following = after(step);
  const next = following ? `Next: npx workshop begin ${following.number}` : 'That was the last step.';
  expect(green.stdout).toContain(next);
  expect((await run(['hint'])).stdout).toContain('Your work has all that the README asks for.');
});
