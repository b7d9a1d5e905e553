import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { STATE } from '@workshop/lessons/state';
import { root } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { inject } from 'vitest';
import type {} from './setup.ts'; // says what is injected

/** Without STATE its tests do not stop at the first that fails. */
const NOT_COPIED = ['node_modules', '.turbo', STATE];

/** The text of the fenced blocks of `language` in a Markdown text. */
export function fencesIn(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => String(text));
}

/** What stands below a heading of the second level in a Markdown text. */
export function sectionOf(markdown: string, heading: string): string {
  return markdown.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? '';
}

/** What differs from run to run, in this order: what is long comes before what may stand within it. */
const MASKS: [RegExp, string][] = [
  [/\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b/g, 'UUID'],
  [/\b[\da-f]{32}\b/g, 'TRACE_ID'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?Z|[+-]\d\d:?\d\d)?/g, 'TIME'],
  [/\b\d\d:\d\d:\d\d(\.\d+)?/g, 'TIME'],
  [/\b1[789]\d{8}(\.\d+|\d{3}|\d{6}|\d{9})?\b/g, 'TIME'], // since 1970, in s, ms, us or ns
  [/\b[\da-f]{16}\b/g, 'SPAN_ID'],
  [/(\bduration['"]?: )[\d.]+/g, '$1DURATION'],
  [/\b\d+(\.\d+)? ?(ns|us|µs|ms|s|seconds?)\b/g, 'DURATION'],
  [/(\b(localhost|127\.0\.0\.1|\[::1\]):)\d+/g, '$1PORT'],
  [/((?:\b|_)port['"]?[:=] ?['"]?)\d+/g, '$1PORT'],
];

/** A text with a word in place of each trace id, span id, UUID, time, duration and port: two runs can be compared. */
export function masked(text: string): string {
  return MASKS.reduce((all, [pattern, word]) => all.replace(pattern, word), text);
}

/**
 * The lines of a quoted output that a real output does not have, once both are masked. `...` in a quoted line stands for
 * anything; indentation does not count.
 */
export function missingLines(quoted: string, output: string): string[] {
  const real = linesOf(output);
  return linesOf(quoted).filter((line) => {
    const pattern = new RegExp(`^${line.split('...').map(RegExp.escape).join('.*')}$`);
    return !real.some((realLine) => pattern.test(realLine));
  });
}

function linesOf(text: string): string[] {
  return masked(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/**
 * Copies a step, or an attendee's folder, to a folder of its own, with `patches` applied as `git apply` does. Removed by
 * `await using`.
 */
export async function copyStep(from: string, patches: string[] = []) {
  const dir = await mkdtemp(join(root, '.copy-'));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    await cp(from, dir, { recursive: true, filter: (path) => path === from || !NOT_COPIED.includes(basename(path)) });
    await chmod(dir, 0o755); // containers read in it, and not as root
    await applyPatches(dir, patches);
  } catch (error) {
    await remove();
    throw error;
  }
  return { dir, read: (path: string) => readFile(join(dir, path), 'utf8'), [Symbol.asyncDispose]: remove };
}

/** Applies patches in a folder as `git apply` does. */
export async function applyPatches(dir: string, patches: string[]): Promise<void> {
  for (const patch of patches) {
    // Outside of a repository: inside of one, git skips files that are ignored.
    await execa('git', ['apply', '-'], { cwd: dir, env: { GIT_DIR: join(dir, 'none') }, input: patch });
  }
}

/** How many lines two folders differ in: added and removed. */
export async function changedLines(before: string, after: string): Promise<number> {
  const { stdout } = await execa('git', ['diff', '--no-index', '--no-renames', '--numstat', before, after], {
    reject: false,
  });
  return [...stdout.matchAll(/^(\d+)\t(\d+)/gm)].reduce(
    (sum, [, added, removed]) => sum + Number(added) + Number(removed),
    0,
  );
}

/** Runs the tests whose name contains `name` of the copy of a step in `dir`, in the lane at hand. */
export async function runTests(dir: string, name: string) {
  return execa('vitest', ['run', '--testNamePattern', name], {
    cwd: dir,
    preferLocal: true,
    env: { BACKENDS: inject('backends')?.lane, NO_COLOR: '1' },
    all: true,
    reject: false,
  });
}

/** Replaces a piece of a file; throws an Error when it is not there. */
export async function edit(path: string, from: string | RegExp, to: string): Promise<void> {
  const source = await readFile(path, 'utf8');
  const edited = source.replace(from, to);
  if (edited === source) throw new Error(`Nothing to replace in ${path}: ${from}`);
  await writeFile(path, edited);
}
