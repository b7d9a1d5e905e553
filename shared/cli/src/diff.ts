import { cp, glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, type Step } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { playground } from './playground.ts';

const CONFIGURATION = '**/*.{yaml,yml}';
// A file with faults to mend has them in the solution too.
const NO_LESSON = ['**/node_modules', '**/.*', '**/*.test.yml', '**/*.broken.yaml', 'class', 'scale'];

/** Shows what `step` adds to the step before; of the first, what it adds to what an attendee begins with. */
export async function showStep(step: Step): Promise<void> {
  const previous = before(step);
  const start = { name: 'start', dir: step.dir, src: 'start' };
  await show(previous ? lessonOf(previous) : start, lessonOf(step));
}

/** Shows what the playground still lacks against the solution of its step. Returns whether it lacks anything. */
export async function showMissing(step: Step): Promise<boolean> {
  return show({ name: 'playground', dir: playground, src: 'src' }, { ...lessonOf(step), name: 'solution' });
}

type Side = { name: string; dir: string; src: string };

function lessonOf({ name, dir }: Step): Side {
  return { name, dir, src: 'src' };
}

/** git's own diff of two lessons, with the person's colours and pager. Returns whether they differ. */
async function show(...sides: [Side, Side]): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  try {
    for (const side of sides) await copyLesson(side, join(folder, side.name));
    const names = sides.map(({ name }) => name);
    // Outside of a repository: its .gitattributes and settings are no concern of the lesson.
    const { exitCode } = await execa('git', ['diff', '--no-index', '--no-prefix', ...names], {
      cwd: folder,
      stdio: 'inherit',
      reject: false,
    });
    if (exitCode === undefined) throw new Error('diff needs git. Install it from https://git-scm.com, then try again.');
    return exitCode !== 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Copies what is a lesson in a folder, and its dependencies as a package.json. */
async function copyLesson({ dir, src }: Side, to: string): Promise<void> {
  await mkdir(to);
  await cp(join(dir, src), join(to, 'src'), { recursive: true });
  for await (const path of glob(CONFIGURATION, { cwd: dir, exclude: NO_LESSON })) {
    await cp(join(dir, path), join(to, path), { recursive: true });
  }
  const { dependencies } = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'));
  await writeFile(join(to, 'package.json'), `${JSON.stringify({ dependencies }, null, 2)}\n`);
}
