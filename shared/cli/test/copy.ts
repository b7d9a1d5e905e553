import { chmod, cp, glob, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, relative } from 'node:path';
import { execa, type Options } from 'execa';

const root = join(import.meta.dirname, '..', '..', '..');
const NOT_COPIED = /^(node_modules|\.git|\.turbo|\.env|playground|playground\.saved|\.playground-.*|\.copy-.*)$/;

/**
 * A copy of the repository as a zip file holds it, without git, in a path with a space and letters beyond ASCII. Packages
 * are those of the repository, but for the workshop's own. Removed by `await using`.
 */
export async function copyWorkshop() {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'workshop-')));
  await chmod(folder, 0o755);
  const dir = join(folder, 'mein wörkshop');
  await cp(root, dir, { recursive: true, filter: (path) => !NOT_COPIED.test(basename(path)) });
  await linkPackages(join(root, 'node_modules'), join(dir, 'node_modules'), dir);
  // What npm did not install at the root, as another package asks for another version.
  for await (const nested of glob('{shared,steps}/*/node_modules', { cwd: root })) {
    await symlink(join(root, nested), join(dir, nested), 'junction');
  }
  const playground = join(dir, 'playground');
  const env = { PATH: [join(dir, 'node_modules', '.bin'), process.env.PATH].join(delimiter), WORKSHOP_ENV_FILE: '' };
  const options = { cwd: dir, env, reject: false } satisfies Options;
  return {
    dir,
    playground,
    env,
    /** Runs the workshop command; `cwd` is the copy's folder unless it says otherwise. */
    run: (args: string[], more: { cwd?: string; env?: Record<string, string>; uid?: number; input?: string } = {}) =>
      execa('workshop', args, { ...options, ...more, env: { ...env, ...more.env } }),
    read: (path: string) => readFile(join(playground, path), 'utf8'),
    write: (path: string, text: string) => writeFile(join(playground, path), text),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function linkPackages(from: string, to: string, dir: string): Promise<void> {
  await mkdir(to);
  for (const name of await readdir(from)) {
    const [original, copy] = [join(from, name), join(to, name)];
    if (name === '.bin') await cp(original, copy, { recursive: true, verbatimSymlinks: true });
    else if (name.startsWith('@')) await linkPackages(original, copy, dir);
    else if (!name.startsWith('.')) await symlink(await targetOf(original, dir), copy, 'junction');
  }
}

/** The package itself, or of the workshop's own packages the copy. */
async function targetOf(original: string, dir: string): Promise<string> {
  const target = await realpath(original);
  return target.startsWith(join(root, 'node_modules')) ? target : join(dir, relative(root, target));
}
