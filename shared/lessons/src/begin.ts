import { existsSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { before, type Step } from './steps.ts';

/** What is no part of an attendee's folder: src/ comes by itself, and the rest is the maintainers' or was left by a run. */
const NOT_COPIED = /^(src|start|class|node_modules|\.turbo|\.env|\.copy-.*|(readme|own-app|pictures)\.slow\.test\.ts)$/;

/** For the attendee's editor, which looks for the nearest one. */
const TSCONFIG = { extends: '../tsconfig.json', include: ['src', 'test'] };

/**
 * Lays down `step` in `folder` as an attendee begins it: all of the step, but with `src/` of the step before and the
 * step's `start/` over it. With `solved`, with the step's own `src/`.
 */
export async function layDown(step: Step, folder: string, solved = false): Promise<void> {
  const filter = (path: string) => path === step.dir || !NOT_COPIED.test(basename(path));
  await cp(step.dir, folder, { recursive: true, filter });
  await writeFile(join(folder, 'tsconfig.json'), `${JSON.stringify(TSCONFIG)}\n`);
  const src = join(folder, 'src');
  if (solved) await cp(join(step.dir, 'src'), src, { recursive: true });
  else await layDownStart(step, src);
}

/** Lays down what an attendee begins `step` with as the folder `src`. */
async function layDownStart(step: Step, src: string): Promise<void> {
  const previous = before(step);
  if (previous) {
    const from = join(previous.dir, 'src');
    // A file that the step has no more goes by itself.
    const filter = (path: string) => existsSync(join(step.dir, 'src', relative(from, path)));
    await cp(from, src, { recursive: true, filter });
  }
  const start = join(step.dir, 'start');
  if (existsSync(start)) await cp(start, src, { recursive: true });
}
