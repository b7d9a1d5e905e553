import { existsSync } from 'node:fs';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { root } from '@workshop/lessons/steps';
import { type Result, runVitest } from '@workshop/testkit/run-vitest';
import { execa } from 'execa';
import { envOfNpm } from './npm.ts';

/** What broke: the test, or the place in a file, and the first line of what was said about it. */
export type Failure = { check: string; test: string; says: string };
export type Outcome = { passed: number; skipped: number; failures: Failure[] };
/** Something that must pass in a copy of the repository. */
export type Check = { name: string; run: (dir: string, signal: AbortSignal) => Promise<Outcome> };

/** A check that was run. */
export type Ran = { name: string; outcome: Outcome; seconds: number };

/** `npm run typecheck`: each error is a failure. */
export const typecheck = command('typecheck', /^(\S+\(\d+,\d+\)): (error .*)$/gm);
/** `npm run lint`: each complaint is a failure. */
export const lint = command('lint', /^(\S+:\d+:\d+|\S+) (\S+) (?=.*━{3})/gm);

function command(script: string, found: RegExp): Check {
  const run: Check['run'] = async (dir, signal) => {
    const { all, exitCode } = await execa('npm', ['run', '--silent', script], {
      ...inCopy(dir),
      all: true,
      reject: false,
      cancelSignal: signal,
    });
    signal.throwIfAborted();
    if (exitCode === 0) return { passed: 1, skipped: 0, failures: [] };
    const failures = [...all.matchAll(found)].map(([, test = '', says = '']) => ({ check: script, test, says }));
    return { passed: 0, skipped: 0, failures: failures.length > 0 ? failures : [notEnded(script, all)] };
  };
  return { name: script, run };
}

/** The tests of every package in one lane, the fast ones or the slow ones. */
export async function testsIn(lane: string, script: 'test' | 'test:slow'): Promise<Check[]> {
  const paths = await Array.fromAsync(glob('{steps,shared}/*/package.json', { cwd: root }));
  const checks: Check[] = [];
  for (const path of paths.sort()) {
    const { scripts = {} } = JSON.parse(await readFile(join(root, path), 'utf8'));
    if (scripts[script]) checks.push(tests(dirname(path), lane, script));
  }
  return checks;
}

function tests(folder: string, lane: string, script: 'test' | 'test:slow'): Check {
  const name = `${basename(folder)}, ${script}, ${lane}`;
  const run: Check['run'] = async (dir, signal) => {
    const results = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
    try {
      const file = join(results, 'results.json');
      const cwd = join(dir, folder);
      const { env } = inCopy(dir);
      const mode = script === 'test:slow' ? ['--mode', 'slow'] : [];
      const ran = await runVitest(mode, { cwd, file, env: { ...env, BACKENDS: lane }, signal });
      const failures = [...failed(name, ran.results), ...(await unloaded(name, file, cwd))];
      const count = (...wanted: string[]) => ran.results.filter(({ status }) => wanted.includes(status)).length;
      if (ran.exitCode !== 0 && failures.length === 0) failures.push(notEnded(name, ran.all));
      return { passed: count('passed'), skipped: ran.results.length - count('passed', 'failed'), failures };
    } finally {
      await rm(results, { recursive: true });
    }
  };
  return { name, run };
}

function failed(check: string, results: Result[]): Failure[] {
  return results
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => ({ check, test: fullName, says: firstLine(failureMessages.join('\n')) }));
}

/** The files of tests that could not be loaded: they have no tests. */
async function unloaded(check: string, file: string, cwd: string): Promise<Failure[]> {
  if (!existsSync(file)) return [];
  type File = { name: string; status: string; message: string; assertionResults: unknown[] };
  const { testResults } = JSON.parse(await readFile(file, 'utf8')) as { testResults: File[] };
  return testResults
    .filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0)
    .map(({ name, message }) => ({ check, test: relative(cwd, name), says: firstLine(message) }));
}

function notEnded(check: string, said: string): Failure {
  return { check, test: '(no test)', says: firstLine(said) };
}

function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.trim())
      ?.trim() ?? 'nothing was said'
  );
}

/** Programs start in the copy, and find its packages before those of the repository. */
function inCopy(dir: string) {
  const inherited = envOfNpm();
  const path = [join(dir, 'node_modules', '.bin'), inherited.PATH].join(delimiter);
  return { cwd: dir, env: { ...inherited, PATH: path, NO_COLOR: '1' }, extendEnv: false } as const;
}
