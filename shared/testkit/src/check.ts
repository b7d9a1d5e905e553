// The reporter of an attendee's own work: a line for each test, and of the first that fails what was seen and where to look.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { styleText } from 'node:util';
import type { Reporter, TestCase, TestModule, TestSpecification, Vitest } from 'vitest/node';
import type { Explanation } from './explain.ts';

const INDENT = ' '.repeat(8);

/** A vitest reporter. It counts on `bail: 1`: what comes after the first failure waits for it. */
export function checkReporter(): Reporter {
  let vitest: Vitest;
  let specifications: readonly TestSpecification[] = [];
  let hasFailed = false;
  return {
    onInit: (started) => {
      vitest = started;
    },
    onTestRunStart: (started) => {
      specifications = started;
      hasFailed = false;
      const { root } = vitest.config;
      console.log(`${styleText('bold', title(root))} ${styleText('dim', `(your work in ${basename(root)}/)`)}`);
    },
    onTestCaseResult: (test) => {
      const { state } = test.result();
      if (state === 'passed') console.log(`  ${styleText('green', 'ok')}    ${test.fullName}`);
      if (state !== 'failed') return;
      hasFailed = true;
      console.log(failure(test));
    },
    onTestRunEnd: async (modules, errors, reason) => {
      const others = [...errors, ...modules.flatMap((module) => module.errors())];
      for (const { message } of others) console.log(`  ${styleText('red', 'FAIL')}  ${indented(message).trim()}`);
      hasFailed ||= others.length > 0;
      // A run that bail ends counts as interrupted too.
      if (reason === 'interrupted' && !hasFailed) return;
      const tests = await allTests(vitest, specifications, modules);
      const skipped = tests.filter((test) => test.options.mode === 'skip').length;
      const passed = tests.filter((test) => test.result().state === 'passed').length;
      const total = tests.length - skipped;
      const waiting = total - passed - 1;
      if (hasFailed && waiting > 0) console.log(`  ${styleText('dim', '..')}    ${waiting} more wait for this one`);
      if (skipped > 0) console.log(`  ${styleText('dim', '--')}    ${skipped} need Docker`);
      console.log(`${passed} of ${total}.`);
    },
  };
}

/** All tests of the lesson, those too that have not been run. */
async function allTests(
  vitest: Vitest,
  specifications: readonly TestSpecification[],
  modules: readonly TestModule[],
): Promise<TestCase[]> {
  const loaded = modules.filter(({ children }) => children.size > 0);
  const files = new Set(loaded.map(({ moduleId }) => moduleId));
  const waiting = specifications.filter(({ moduleId }) => !files.has(moduleId));
  const parsed = await vitest.parseSpecifications(waiting);
  return [...loaded, ...parsed].flatMap(({ children }) => [...children.allTests()]);
}

function failure(test: TestCase): string {
  const { errors = [] } = test.result() as { errors?: readonly { message: string }[] };
  const { seen, said, cause }: Explanation = test.meta().explanation ?? { seen: String(errors[0]?.message), said: [] };
  const lines = [
    `  ${styleText('red', 'FAIL')}  ${test.fullName}`,
    indented(seen),
    ...(said.length > 0 ? [indented(`The program said: ${said.join('\n')}`)] : []),
    ...(cause ? [indented(styleText('bold', `Look at: ${[cause.at, cause.say].filter(Boolean).join(', ')}`))] : []),
  ];
  return lines.join('\n');
}

function indented(text: string): string {
  return text.replace(/^/gm, INDENT);
}

/** The first heading of the step's README. */
function title(root: string): string {
  return readFileSync(join(root, 'README.md'), 'utf8').split('\n', 1)[0]?.replace('# ', '') ?? '';
}
