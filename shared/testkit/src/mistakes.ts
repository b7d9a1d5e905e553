import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeState } from '@workshop/lessons/state';
import { findStep, type Step } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { describe, expect, inject, test } from 'vitest';
import { stepDir } from './app.ts';
import { makePlayground } from './playground.ts';
import { edit } from './readme.ts';

/** What an attendee must read, and nothing else. */
export type Message = {
  /** Where it sends them: the file, and what stands in the line. */
  at: readonly [file: string, line?: string];
  /** Words that name the cause. */
  says: string | RegExp;
};

/** A typical mistake: a file of the solution with something replaced. */
export type Mistake = Message & {
  name: string;
  file: string;
  from: string | RegExp;
  to: string;
  /** Whether only real backends can find it. */
  containers?: boolean;
};

const step = findStep(basename(stepDir)) as Step;
const lane = inject('backends')?.lane;

/**
 * Tests that the lesson's tests name what is missing in untouched work, and each mistake in a copy of the solution: in one
 * message, and no other.
 */
export function testMistakes(untouched: Message, mistakes: Mistake[]): void {
  describe.concurrent('what an attendee reads', () => {
    test('before anything is done', async () => {
      await using playground = await makePlayground(step, false);
      await expectMessage(playground.dir, untouched);
    });

    for (const { name, file, from, to, containers, ...message } of mistakes) {
      const why = containers ? ' (local lane: only real backends find it)' : '';
      test.skipIf(containers && lane === 'local')(`after a mistake: ${name}${why}`, async () => {
        await using playground = await makePlayground(step, true);
        await edit(join(playground.dir, file), from, to);
        await expectMessage(playground.dir, message);
      });
    }
  });
}

async function expectMessage(dir: string, { at: [file, text], says }: Message): Promise<void> {
  const { all, exitCode } = await check(dir);
  expect(exitCode, all).toBe(1);
  const places = all.split('\n').filter((line) => line.includes('Look at: '));
  expect(places, all).toHaveLength(1);
  expect(places[0]).toMatch(says);
  const [, place, line] = /Look at: ([^:,]+)(?::(\d+))?/.exec(String(places[0])) ?? [];
  expect(place, all).toBe(file);
  const lines = (await readFile(join(dir, file), 'utf8')).split('\n');
  if (text) expect(lines[Number(line) - 1]).toContain(text);
}

/** Runs the lesson's tests in a playground as `workshop check` does, in the lane at hand. */
async function check(dir: string) {
  writeState(dir, { step: step.number });
  const env = { BACKENDS: lane, NO_COLOR: '1', FORCE_COLOR: '0' };
  return execa('vitest', ['run'], { cwd: dir, preferLocal: true, env, all: true, reject: false });
}
