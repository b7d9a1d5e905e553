// vitest's setup file of every lesson: a test that fails gets what the program said, and the likeliest cause.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import type { Failure } from '@workshop/lessons/state';
import { afterEach, type TestError } from 'vitest';
import { landed, runs, stepDir } from './app.ts';
import { type Cause, likelyCause, readSources } from './causes.ts';

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
  const seen = inWords(error);
  const { stdout = '', stderr = '', exitCode } = runs.at(-1) ?? {};
  const facts = { test: task.name, seen, stdout, stderr, exitCode, source: await readSources(stepDir) };
  const cause = await likelyCause(stepDir, facts, await causesOf(stepDir));
  task.meta.explanation = { seen, said: words(stderr, task.name), ...(cause && { cause }) };
});

async function causesOf(dir: string): Promise<Cause[]> {
  const file = join(dir, 'test', 'causes.ts');
  return existsSync(file) ? (await import(pathToFileURL(file).href)).causes : [];
}

const MAX_LENGTH = 200;

/** An error's message, and of what differs the lines that do, cut short. */
function inWords({ message, diff }: TestError): string {
  const lines = stripVTControlCharacters(diff ?? '')
    .split('\n')
    .filter((line) => /^[-+] +\S/.test(line) && !/^[-+] (Expected|Received)$/.test(line));
  const words = message.replace(' // Object.is equality', '');
  if (lines.length === 0) return words;
  const of = (sign: string) => {
    const own = lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1).trim());
    const text = own.join(' ') || 'nothing';
    return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)} ...` : text;
  };
  return `${words}\nExpected: ${of('-')}\nThere is: ${of('+')}`;
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
