// The reporter of an attendee's own work: a line for each test, and of the first that fails what was seen and where to look.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { styleText } from 'node:util';
import { type Failure, type Outcome, readState, writeState } from '@workshop/lessons/state';
import { after, findStep } from '@workshop/lessons/steps';
import type { Reporter, TestCase, TestModule, TestSpecification, Vitest } from 'vitest/node';
import type {} from './explain.ts'; // says what a test's meta holds
import { reason } from './summary.ts';

/** What a green check has proved. */
const PROOFS = {
  local: 'All of it left the program and can be read. That it lands in real backends, only Docker can show.',
  containers: 'All of it landed.',
};
const INDENT = ' '.repeat(8);
/** What stands in parentheses in a test's name: why it is skipped elsewhere. */
const ELSEWHERE = / \((local lane|containers|on Linux|Windows)[^)]*\)/g;

/** A vitest reporter. It counts on `bail: 1`: what comes after the first failure waits for it. With `json` it prints an Outcome. */
export function checkReporter(json: boolean): Reporter {
  let vitest: Vitest;
  let specifications: readonly TestSpecification[] = [];
  let failure: Failure | undefined;
  const print = json ? () => {} : console.log;
  return {
    onInit: (started) => {
      vitest = started;
    },
    onTestRunStart: (started) => {
      specifications = started;
      failure = undefined;
      const { root } = vitest.config;
      print(`${styleText('bold', titleOf(root))} ${styleText('dim', `(your work in ${basename(root)}/)`)}`);
    },
    onTestCaseResult: (test) => {
      const { state } = test.result();
      if (state === 'passed') print(`  ${styleText('green', 'ok')}    ${nameOf(test)}`);
      if (state !== 'failed') return;
      failure = { test: nameOf(test), ...explanationOf(test) };
      print(inWords(failure));
    },
    onTestRunEnd: async (modules, errors, reason) => {
      const [error] = [...errors, ...modules.flatMap((module) => module.errors())];
      if (error && !failure) {
        failure = { test: 'the tests run', seen: error.message, said: [] };
        print(inWords(failure));
      }
      // A run that bail ends counts as interrupted too.
      if (reason === 'interrupted' && !failure) return;
      const tests = modules.flatMap(({ children }) => [...children.allTests()]);
      const waiting = await notLoaded(vitest, specifications, modules);
      const lane = vitest.getRootProject().getProvidedContext().backends?.lane;
      const skipped = skippedOf(tests);
      const passed = tests.filter((test) => test.result().state === 'passed').length;
      const total = tests.filter(({ options }) => options.mode !== 'skip').length + waiting;
      // Its page is there only as long as the backends are.
      const trace = vitest.config.watch ? tests.findLast((test) => test.meta().trace)?.meta().trace : undefined;
      const outcome: Outcome = {
        ...(lane && { lane }),
        passed,
        total,
        skipped,
        ...(trace && { trace }),
        ...(failure && { failure }),
      };
      keep(vitest.config.root, outcome);
      if (json) console.log(JSON.stringify(outcome, null, 2));
      else print(lastLines(vitest.config.root, outcome));
    },
  };
}

function keep(root: string, last: Outcome): void {
  const state = readState(root);
  const { attempts = 0, firstGreen = last.failure ? undefined : new Date().toISOString() } = state;
  writeState(root, { ...state, attempts: attempts + 1, ...(firstGreen && { firstGreen }), last });
}

/** How many tests are in the files that have not been run. */
async function notLoaded(
  vitest: Vitest,
  specifications: readonly TestSpecification[],
  modules: readonly TestModule[],
): Promise<number> {
  const loaded = new Set(modules.filter(({ children }) => children.size > 0).map(({ moduleId }) => moduleId));
  const parsed = await vitest.parseSpecifications(specifications.filter(({ moduleId }) => !loaded.has(moduleId)));
  return parsed.flatMap(({ children }) => [...children.allTests()]).length;
}

function skippedOf(tests: TestCase[]): Record<string, number> {
  const skipped = tests.filter(({ options }) => options.mode === 'skip');
  return Object.fromEntries(
    Object.entries(Object.groupBy(skipped, reason)).map(([why, tests = []]) => [why, tests.length]),
  );
}

function explanationOf(test: TestCase): Omit<Failure, 'test'> {
  const { errors = [] } = test.result() as { errors?: readonly { message: string }[] };
  return test.meta().explanation ?? { seen: String(errors[0]?.message), said: [] };
}

function inWords({ test, seen, said, cause }: Failure): string {
  const lines = [
    `  ${styleText('red', 'FAIL')}  ${test}`,
    indented(seen),
    ...(said.length > 0 ? [indented(`The program said: ${said.join('\n')}`)] : []),
    ...(cause ? [indented(styleText('bold', `Look at: ${[cause.at, cause.say].filter(Boolean).join(', ')}`))] : []),
  ];
  return lines.join('\n');
}

function lastLines(root: string, { lane, passed, total, skipped, trace, failure }: Outcome): string {
  const waiting = total - passed - 1;
  const dim = (text: string) => styleText('dim', text);
  const count = Object.values(skipped).reduce((sum, tests) => sum + tests, 0);
  return [
    ...(failure && waiting > 0 ? [`  ${dim('..')}    ${waiting} more wait for this one`] : []),
    ...(count > 0 && !failure ? [`  ${dim('--')}    ${count} skipped: ${Object.keys(skipped).join('; ')}`] : []),
    ...(failure ? help(passed, total) : done(root, lane, total, trace)),
  ].join('\n');
}

function help(passed: number, total: number): string[] {
  return [`${passed} of ${total}. npx workshop hint helps. npx workshop check --watch checks again when you save.`];
}

function done(root: string, lane: Outcome['lane'], total: number, trace?: string): string[] {
  const step = findStep(readState(root).step);
  const next = step && after(step);
  const proof = lane ? PROOFS[lane] : 'The span is on your console.';
  return [
    styleText('green', `${total} of ${total}. ${proof}`),
    ...(trace ? [`Your trace: ${trace}`] : []),
    'What did you predict? README.md has the answer, under "See it".',
    next ? `Next: npx workshop begin ${next.number}` : 'That was the last step.',
  ];
}

function nameOf(test: TestCase): string {
  return test.fullName.replaceAll(ELSEWHERE, '');
}

function indented(text: string): string {
  return text.replace(/^/gm, INDENT);
}

/** The first heading of the step's README. */
function titleOf(root: string): string {
  return readFileSync(join(root, 'README.md'), 'utf8').split('\n', 1)[0]?.replace('# ', '') ?? '';
}
