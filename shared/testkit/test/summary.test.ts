import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { smallStep } from './small-step.ts';

const withoutBackends = { 'vitest.config.ts': `export { default } from '@workshop/testkit/vitest';` };

/** Runs the tests of a small step; returns what is written of them. */
async function summaryOf(files: Record<string, string>, env: Record<string, string> = {}) {
  await using step = await smallStep(files);
  const { all } = await step.test({ WORKSHOP_RESULTS: step.temporary, ...env });
  const written = await readFile(join(step.temporary, `${basename(step.dir)}.json`), 'utf8').catch(() => 'nothing');
  expect(written, `No summary, but vitest said:\n${all}`).not.toBe('nothing');
  return JSON.parse(written);
}

test('what is skipped is counted by reason', async () => {
  const tests = `
    import { describe, expect, test } from 'vitest';
    test('passes (though it says why)', () => {});
    test.skip('one (local lane: there is none)', () => {});
    test.skip('one more (in Jaeger) (local lane: there is none)', () => {});
    test.skip('(a registry that hangs (WITHOUT=grafana does without it)): is named', () => {});
    describe.skip('in a browser (needs Chromium)', () => {
      test('two (of two)', () => {});
      describe('inside', () => test('three (of three)', () => {}));
    });
    test('four (not here)', ({ skip }) => skip('the gate has failed'));
    test.skip('five', () => {});`;
  expect(await summaryOf({ ...withoutBackends, 'test/small.test.ts': tests })).toEqual({
    passed: 1,
    failed: 0,
    skipped: {
      'local lane: there is none': 2,
      'a registry that hangs (WITHOUT=grafana does without it)': 1,
      'needs Chromium': 2,
      'the gate has failed': 1,
      'no reason given': 1,
    },
  });
});

test('whatever makes the run fail is counted as failed', async () => {
  const tests = `
    import { beforeAll, describe, expect, test } from 'vitest';
    test('fails', () => expect(1).toBe(2));
    test('lets an error go', () => void Promise.reject(new Error('nobody catches it')));
    describe('its set-up fails', () => {
      beforeAll(() => { throw new Error('no'); });
      test('is not reached', () => {});
    });`;
  const files = { ...withoutBackends, 'test/small.test.ts': tests, 'test/slip.test.ts': 'const = 1;' };
  expect(await summaryOf(files)).toEqual({ passed: 1, failed: 4, skipped: { 'what it needs has failed': 1 } });
});

test('the lane is named, or that there are no backends', async () => {
  expect(await summaryOf({}, { BACKENDS: 'local' })).toEqual({ lane: 'local', passed: 1, failed: 0, skipped: {} });
  expect(await summaryOf({}, { BACKENDS: 'kubernetes' })).toMatchObject({ lane: 'none', passed: 0, failed: 1 });
});

test('programs that tests start do not write over it', async () => {
  const tests = `
    import { expect, test } from 'vitest';
    test('none', () => expect(process.env.WORKSHOP_RESULTS).toBeUndefined());`;
  expect(await summaryOf({ ...withoutBackends, 'test/small.test.ts': tests })).toMatchObject({ passed: 1, failed: 0 });
});
