import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { inject } from 'vitest';
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
 * Copies a step's package.json, src/ and collector.yaml into a folder of its own inside `stepDir`, so that packages
 * resolve, and applies `patches` as `git apply` does. Removed by `await using`.
 */
export async function copyStep(stepDir: string, patches: string[] = [], ...options: string[]) {
  const dir = await mkdtemp(join(stepDir, '.copy-'));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    await cp(join(stepDir, 'src'), join(dir, 'src'), { recursive: true });
    await cp(join(stepDir, 'package.json'), join(dir, 'package.json'));
    const collector = join(stepDir, 'collector.yaml');
    if (existsSync(collector)) await cp(collector, join(dir, 'collector.yaml'));
    for (const patch of patches) {
      await writeFile(join(dir, 'patch'), patch);
      // Outside of a repository: inside of one, git skips files that are ignored.
      await execa('git', ['apply', ...options, 'patch'], { cwd: dir, env: { GIT_DIR: join(dir, 'none') } });
      await rm(join(dir, 'patch'));
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    dir,
    read: (path: string) => readFile(join(dir, path), 'utf8'),
    [Symbol.asyncDispose]: remove,
  };
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

/** Runs the tests of `step` whose name contains `name` on the `src/` of another folder, in the lane at hand. */
export async function runTests(step: string, src: string, name: string) {
  const args = ['run', '--testNamePattern', name];
  return execa('vitest', args, {
    cwd: step,
    env: { STEP_DIR: src, BACKENDS: inject('backends')?.lane, NO_COLOR: '1' },
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
