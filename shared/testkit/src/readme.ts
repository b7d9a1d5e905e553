import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findStep, type Step } from '@workshop/cli/steps';
import { execa } from 'execa';
import { inject } from 'vitest';
import { makePlayground } from './playground.ts';
import type {} from './setup.ts'; // says what is injected

/** The text of the fenced blocks of `language` in a Markdown text. */
export function fencesIn(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => String(text));
}

/** The headings of the second level in a Markdown text. */
export function headingsIn(markdown: string): string[] {
  return [...markdown.replace(/^```.*?^```$/gms, '').matchAll(/^## (.+)$/gm)].map(([, heading]) => String(heading));
}

/** What stands below a heading of the second level in a Markdown text. */
export function sectionOf(markdown: string, heading: string): string {
  return markdown.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? '';
}

/** What every step's README is divided into, in this order. */
export const headings = [
  'Goal',
  'Time',
  'Do it',
  'Run it',
  'See it',
  'Check it',
  'What changed',
  'On call',
  'Break it',
  'If it does not work',
  'Going further',
];

/**
 * The solution of the step in `stepDir` as an attendee has it, in a folder of its own, with `patches` applied as `git apply`
 * does. Removed by `await using`.
 */
export async function copyStep(stepDir: string, patches: string[] = []) {
  const copy = await makePlayground(findStep(basename(stepDir)) as Step, true);
  try {
    await applyPatches(copy.dir, patches);
  } catch (error) {
    await copy[Symbol.asyncDispose]();
    throw error;
  }
  return { ...copy, read: (path: string) => readFile(join(copy.dir, path), 'utf8') };
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
