import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { type Files, type Raise, raiseIn, versionsOf } from './edits.ts';
import { isImage } from './images.ts';
import { npm } from './npm.ts';
import { goAlong, LEAD, releasedTogether } from './opentelemetry.ts';

/** A name and the version that is wanted of it, also `latest`. */
export type Wanted = { name: string; version: string };

/** Made by npm and Go, and not by edits. */
const MADE = /(^|\/)(package-lock\.json|go\.mod|go\.sum)$|\.(svg|png)$/;

/** The files that git knows in `dir`, without those that tools make. */
export async function readFiles(dir: string): Promise<Files> {
  const { stdout } = await execa('git', ['ls-files', '-z'], { cwd: dir });
  const paths = stdout.split('\0').filter((path) => path && !MADE.test(path) && existsSync(join(dir, path)));
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(dir, path), 'utf8')] as const)),
  );
}

/**
 * What is to be raised so that the wanted versions stand in the repository `dir`. Only `ask` makes it ask the registry.
 * Throws an Error with one line where a name stands nowhere, has no such version, has it already, or cannot move alone.
 */
export async function plan(dir: string, files: Files, wanted: Wanted[], ask: boolean): Promise<Raise[]> {
  const together = releasedTogether(files, await readFile(join(dir, 'package-lock.json'), 'utf8'));
  const raises: Raise[] = [];
  for (const { name, version } of wanted) {
    const from = versionsOf(files, name);
    if (from.length === 0) throw new Error(`${name} stands in no package.json, no compose.yaml and no README.`);
    if (together.includes(name)) {
      throw new Error(`${name} goes along with ${LEAD}, which needs exactly one version of it. Raise ${LEAD}.`);
    }
    const asked = ask && !isImage(files, name);
    const to = asked ? await versionInRegistry(dir, name, version) : version.replace(/^v/, '');
    if (!/^\d+\.\d+\.\d+(-[\w.-]+)?$/.test(to)) throw new Error(`${version} is not exact: name all three numbers.`);
    if (from.every((each) => each === to)) throw new Error(`${name} is ${to} already.`);
    raises.push({ name, from, to });
    if (name === LEAD && together.length > 0) {
      const needed = await npm(['view', `${name}@${to}`, 'dependencies'], { cwd: dir });
      raises.push(...goAlong(files, together, to, needed as Record<string, string>));
    }
  }
  return raises;
}

/** The exact version, which is there. `version` can be `latest`. */
async function versionInRegistry(dir: string, name: string, version: string): Promise<string> {
  const found = await npm(['view', `${name}@${version.replace(/^v(?=\d)/, '')}`, 'version'], { cwd: dir });
  // npm prints a list for a range.
  return typeof found === 'string' ? found : version;
}

/**
 * The lockfile for the raised files. npm makes it in another folder, from the present one: what is not raised keeps its
 * version, and without packages beside it npm locks those of all platforms. Throws an Error with one line where it cannot.
 */
export async function lock(dir: string, files: Files, raises: Raise[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'workshop lockfile '));
  try {
    const raised = new Map([...files, ...raiseIn(files, raises)]);
    for (const [path, text] of raised) {
      if (!/(^|\/)package\.json$|^\.npmrc$/.test(path)) continue;
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const lockfile = join(folder, 'package-lock.json');
    await writeFile(lockfile, without(raises, await readFile(join(dir, 'package-lock.json'), 'utf8')));
    await npm(['install', '--package-lock-only', '--ignore-scripts'], { cwd: folder });
    // npm install ends well with a package that another one does not allow.
    await npm(['ls', '--all', '--package-lock-only'], { cwd: folder });
    return await readFile(lockfile, 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Locked = { dependencies?: Record<string, string>; optionalDependencies?: Record<string, string> };

/**
 * The lockfile without what is raised, and without what that needs in exactly one version. Else npm would keep it where an
 * override now asks for another one, or put a second copy beside it.
 */
function without(raises: Raise[], lockfile: string): string {
  const locked = JSON.parse(lockfile);
  const packages = Object.entries<Locked>(locked.packages);
  const nameOf = (path: string) => path.split('node_modules/').at(-1) ?? path;
  const names = new Set(raises.map(({ name }) => name));
  // A set is also run through for what is added on the way.
  for (const name of names) {
    const copies = packages.filter(([path]) => nameOf(path) === name).map(([, copy]) => copy);
    for (const { dependencies, optionalDependencies } of copies) {
      for (const [needed, range] of Object.entries({ ...dependencies, ...optionalDependencies })) {
        if (/^\d/.test(range)) names.add(needed);
      }
    }
  }
  const kept = packages.filter(([path]) => !names.has(nameOf(path)));
  return JSON.stringify({ ...locked, packages: Object.fromEntries(kept) });
}
