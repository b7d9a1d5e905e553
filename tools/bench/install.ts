import { cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { root } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { type Figure, figure, progress, secondsSince } from './figures.ts';

const BARS = { seconds: 60, packages: 450, megabytes: 400 };
const NOT_COPIED = /^(node_modules|\.git|\.turbo|\.env|playground|playground\.saved|\.playground-.*|\.copy-.*)$/;

/** `npm ci` in a fresh copy, with what npm's cache holds, under this Node: an older one would get Node 24 too. */
export async function benchInstall(): Promise<Figure[]> {
  const copy = await mkdtemp(join(tmpdir(), 'install-'));
  try {
    await cp(root, copy, { recursive: true, filter: (path) => !NOT_COPIED.test(basename(path)) });
    progress('install: npm ci');
    const start = performance.now();
    const { stdout } = await execa('npm', ['ci'], { cwd: copy, killDescendants: true });
    const seconds = secondsSince(start);
    const packages = Number(/added (\d+) packages/.exec(stdout)?.[1]);
    const bytes = await sizeOf(join(copy, 'node_modules'));
    return [
      figure('npm ci', 's', [seconds], { bar: BARS.seconds }),
      figure('packages', 'packages', [packages], { bar: BARS.packages }),
      figure('node_modules', 'MB', [bytes / 1e6], { bar: BARS.megabytes }),
    ];
  } finally {
    await rm(copy, { recursive: true });
  }
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
