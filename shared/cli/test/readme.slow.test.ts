import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, steps } from '@workshop/lessons/steps';
import { applyPatches, changedLines, fencesIn, sectionOf } from '@workshop/testkit/readme';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';

/** What an attendee types, and what a step changes, in lines added and removed. */
const TYPED = { '01': 80, '04': 80 } as Record<string, number>;
const CHANGED = { '04': 130 } as Record<string, number>;
const OTHERWISE = 40;

const workshop = await copyWorkshop();
const { dir, playground, run } = workshop;
afterAll(workshop[Symbol.asyncDispose]);

describe.each(steps)('step $name', (step) => {
  const src = join(step.dir, 'src');

  test('the solutions of "Do it", one after the other, turn what begin makes into the step', async () => {
    const readme = await readFile(join(step.dir, 'README.md'), 'utf8');
    const solutions = fencesIn(sectionOf(readme, 'Do it'), 'diff').filter((diff) => diff.includes('b/src/'));
    expect(solutions).not.toEqual([]);
    await run(['begin', step.number]);
    for (const solution of solutions) {
      const { exitCode, stderr } = await execa('git', ['apply', '-'], {
        cwd: playground,
        input: solution,
        reject: false,
      });
      expect(exitCode, `${stderr}\n${solution}`).toBe(0);
    }
    expect((await run(['diff'])).stdout).toBe('Nothing is missing: your work is the same as the solution.');
    expect(await changedLines(join(playground, 'src'), src)).toBe(0);
  });

  test('hint gives the first hint of each task, when the solutions of those before are there', async () => {
    const doIt = sectionOf(await readFile(join(step.dir, 'README.md'), 'utf8'), 'Do it');
    const tasks = doIt.match(/.*?<summary>Solution<\/summary>.*?<\/details>/gs) ?? [];
    await run(['begin', step.number]);
    for (const task of tasks) {
      const [, hint] = /<summary>Hint<\/summary>\n\n(.*?)\n\n<\/details>/s.exec(task) ?? [];
      expect((await run(['hint'])).stdout).toContain(hint);
      await applyPatches(playground, fencesIn(task, 'diff'));
    }
    expect((await run(['hint'])).stdout).toContain('Your work has all that the README asks for.');
  });

  test('it is short enough to type, and to compare with the step before', async () => {
    await run(['begin', step.number]);
    expect(await changedLines(join(playground, 'src'), src)).toBeLessThanOrEqual(TYPED[step.number] ?? OTHERWISE);
    const previous = before(step);
    if (!previous) return;
    const changed = await changedLines(join(previous.dir, 'src'), src);
    expect(changed).toBeLessThanOrEqual(CHANGED[step.number] ?? OTHERWISE);
  });

  test.each([
    ['begun', []],
    ['solved', ['--solved']],
  ])('the compiler takes it: %s', async (_name, options) => {
    await run(['begin', step.number, ...options]);
    const { stdout } = await execa('tsc', ['--project', 'playground'], { cwd: dir, reject: false });
    expect(stdout).toBe('');
  });
});
