// vitest's setup file of every lesson: a test that fails gets what the program said, and the likeliest cause.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Failure } from '@workshop/lessons/state';
import { afterEach } from 'vitest';
import { landed, runs, stepDir } from './app.ts';
import { type Cause, likelyCause, readSources } from './causes.ts';
import { seenIn } from './seen.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Of a test that failed. */
    explanation?: Omit<Failure, 'test'>;
    /** The page of the last trace that was found. */
    trace?: string;
  }
}

afterEach(async ({ task }) => {
  const [error] = task.result?.errors ?? [];
  const trace = landed.at(-1);
  if (trace) task.meta.trace = trace;
  if (!error) return;
  const seen = seenIn(error);
  const { stdout = '', stderr = '', exitCode } = runs.at(-1) ?? {};
  const facts = { test: task.name, seen, stdout, stderr, exitCode, source: await readSources(stepDir) };
  const cause = await likelyCause(stepDir, facts, await causesOf(stepDir));
  task.meta.explanation = { seen, said: words(stderr, task.name), ...(cause && { cause }) };
});

async function causesOf(dir: string): Promise<Cause[]> {
  const file = join(dir, 'test', 'causes.ts');
  return existsSync(file) ? (await import(pathToFileURL(file).href)).causes : [];
}

/** Lines that say nothing of trouble: npm's, the stack of an error, the stand-in's greeting. */
const NO_TROUBLE = /^(npm |node:|Node\.js|file:|\s|No LLM_BASE_URL)/;

/** What a program says of trouble. That a question has no reply is trouble only where it should have one. */
function words(stderr: string, test: string): string[] {
  const lines = stderr
    .replace(/^\w+ +\| /gm, '')
    .split('\n')
    .filter((line) => line.trim() && !NO_TROUBLE.test(line));
  return lines.filter((line) => !line.startsWith('No reply') || /answers/.test(test)).slice(-3);
}
