// `npm run prove`, or of one step `npm run prove 02`: that a lesson's tests fail on what an attendee begins with, and pass
// on the solution. A test that passes on both must carry the tag `holds-before`, and no other test may.
import { join } from 'node:path';
import { findStep, type Step, steps } from '@workshop/lessons/steps';
import { cleanEnv } from '@workshop/testkit/app';
import { makePlayground } from '@workshop/testkit/playground';
import { type Result, runVitest } from '@workshop/testkit/run-vitest';
import { markdownTable } from 'markdown-table';

/** Of one test. The tests' own waits are shorter: 10 s for a trace that never comes. */
const LIMIT_S = 20;

// Whoever ends it ends the tests, and the playground is removed.
const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ended.abort('Interrupted.'));
const wanted = process.argv.slice(2).map(toStep);
console.log(`Each lesson twice: on its start, and on its solution. A test has ${LIMIT_S} s.`);
const rows: string[][] = [];
const problems: string[] = [];
try {
  for (const step of wanted.length > 0 ? wanted : steps) await prove(step);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
const header = ['step', 'tests', 'fail on the start', 'pass on both', 'pass on the solution'];
console.log(`\n${markdownTable([header, ...rows], { align: ['l', 'r', 'r', 'r', 'r'] })}\n`);
console.log(problems.length > 0 ? problems.join('\n') : 'Nobody finishes by doing nothing, and everybody can finish.');
process.exitCode = problems.length > 0 ? 1 : 0;

/** Adds a step's row to the table, and what is wrong to the problems. */
async function prove(step: Step): Promise<void> {
  const start = new Map((await resultsOf(step, false)).map((result) => [result.fullName, result]));
  const tests = (await resultsOf(step, true)).filter(({ status }) => status !== 'skipped');
  const passed = tests.filter(({ status }) => status === 'passed');
  const passesOnStart = ({ fullName }: Result) => start.get(fullName)?.status === 'passed';
  const failed = tests.filter((test) => !passesOnStart(test));
  const counts = [tests.length, failed.length, passed.filter(passesOnStart).length, passed.length];
  rows.push([step.name, ...counts.map(String)]);
  if (failed.length === 0) problems.push(`${step.name}: no test fails on the start, or none was run`);
  for (const test of tests) {
    const problem = problemOf(test, passesOnStart(test), start.get(test.fullName));
    if (problem) problems.push(`${step.name}: "${test.fullName}" ${problem}`);
  }
}

/** What is wrong with a test that was run on both. */
function problemOf({ status, tags, failureMessages }: Result, holdsBefore: boolean, onStart?: Result) {
  if (status !== 'passed') return `fails on the solution: ${failureMessages[0] ?? 'it did not run'}`;
  const isMarked = tags.includes('holds-before');
  if (holdsBefore && !isMarked)
    return "passes before anything is done. If that is right, tag it: { tags: 'holds-before' }";
  if (isMarked && !holdsBefore)
    return `has the tag holds-before, and fails on the start: ${onStart?.failureMessages[0] ?? 'it did not run'}`;
  return undefined;
}

/** Runs all tests of a lesson on what `workshop begin` makes, or on the solution. */
async function resultsOf(step: Step, solved: boolean): Promise<Result[]> {
  const what = `${step.name}: its ${solved ? 'solution' : 'start'}`;
  console.error(`${what}, up to a minute ...`);
  await using playground = await makePlayground(step, solved);
  const { all, exitCode, results } = await runVitest([`--testTimeout=${LIMIT_S * 1000}`], {
    cwd: playground.dir,
    file: join(playground.dir, 'results.json'),
    env: cleanEnv(),
    signal: ended.signal,
  });
  // A file that does not load has no tests, and fails.
  if (results.length === 0 || (exitCode !== 0 && !results.some(({ status }) => status === 'failed'))) {
    throw new Error(`${what}: the tests did not run to their end. They printed:\n${all}`);
  }
  return results;
}

function toStep(text: string): Step {
  const step = findStep(text);
  if (step) return step;
  console.error(`There is no step ${text}. Usage: npm run prove, or of one step: npm run prove 02`);
  process.exit(2);
}
