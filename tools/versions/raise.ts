// `npm run raise -- NAME VERSION`: changes a version everywhere it stands, and makes the lockfile anew. All is computed before
// anything is written.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '@workshop/lessons/steps';
import { cleanEnv } from '@workshop/testkit/app';
import { runVitest } from '@workshop/testkit/run-vitest';
import { execa } from 'execa';
import { editsOf, type Files, leftovers, type Raise, raiseIn } from './edits.ts';
import { isImage, makeModules, modulesOf } from './images.ts';
import { lock, plan, readFiles, type Wanted } from './plan.ts';

const help = `Usage: npm run raise -- NAME VERSION [NAME VERSION ...] [--dry-run]

Changes a version everywhere it stands, and makes the lockfile anew. Nothing is changed when one part of it fails.
  NAME       an npm package, or an image of a compose.yaml
  VERSION    exact, or for a package: latest
  --dry-run  says what would change. It does not ask whether the version exists

Packages of OpenTelemetry that are released together move together: raise @opentelemetry/sdk-node. It needs exactly one
version of each. Their own raise is an error. The others, such as @opentelemetry/api, move alone.

An image that .ci/images makes needs Go: its modules move too. No registry of images is asked: npx workshop pull does.

Examples:
  npm run raise -- express latest
  npm run raise -- @opentelemetry/sdk-node latest
  npm run raise -- prom/prometheus v4.0.0 --dry-run`;

const { wanted, dryRun } = readArguments();
try {
  await raise();
} catch (error) {
  console.error(`Nothing was changed. ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function raise(): Promise<void> {
  if (!dryRun) await needCleanTree();
  const files = await readFiles(root);
  const raises = await plan(root, files, wanted, !dryRun);
  const images = raises.filter(({ name }) => isImage(files, name));
  const modules = images.map((image) => ({ image, modules: modulesOf(files, image) }));
  const all = [...raises, ...modules.flatMap(({ modules }) => modules)];
  const changed = raiseIn(files, all);
  const made: Files = new Map();
  if (!dryRun) {
    for (const { image, modules: wanted } of modules) {
      if (wanted.length === 0) continue;
      console.error(`Go looks for the modules of ${image.name} ${image.to}, up to some minutes ...`);
      for (const [path, text] of await makeModules(root, image, wanted)) made.set(path, text);
    }
    if (images.length < raises.length) {
      console.error('npm makes the lockfile ...');
      made.set('package-lock.json', await lock(root, files, raises));
    }
    await write(new Map([...changed, ...made]));
  }
  report(files, changed, made, all);
  const first = made.has('package-lock.json') ? 'npm ci' : 'npx workshop pull';
  console.log(dryRun ? '\nNothing was changed.' : `\nNext: ${first} && npm test && npm run test:slow`);
}

async function needCleanTree(): Promise<void> {
  const { stdout } = await execa('git', ['status', '--porcelain', '--untracked-files=no'], { cwd: root });
  const [first] = stdout.split('\n');
  if (first) throw new Error(`Commit first what you have changed, such as ${first.slice(3)}.`);
}

/** Writes the files, and puts them back where the lockfile is not what it has to be. */
async function write(changed: Files): Promise<void> {
  const before = await Promise.all(
    [...changed.keys()].map(async (path) => [path, await readFile(join(root, path))] as const),
  );
  try {
    for (const [path, text] of changed) await writeFile(join(root, path), text);
    const problem = await problemOfLockfile();
    if (problem) throw new Error(problem);
  } catch (error) {
    for (const [path, text] of before) await writeFile(join(root, path), text);
    throw error;
  }
}

/** What the lockfile's own tests find: two copies of a package of OpenTelemetry, a platform without its binaries. */
async function problemOfLockfile(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  const { all, exitCode, results } = await runVitest(['test/lockfile.test.ts'], {
    cwd: join(root, 'shared/testkit'),
    file: join(folder, 'results.json'),
    env: cleanEnv(),
    signal: new AbortController().signal,
  });
  await rm(folder, { recursive: true });
  const failed = results.find(({ status }) => status === 'failed');
  if (failed) return `The new lockfile fails "${failed.fullName}": ${failed.failureMessages[0]?.split('\n    at ')[0]}`;
  return exitCode === 0 ? undefined : `The lockfile was not tested:\n${all}`;
}

function report(files: Files, changed: Files, made: Files, raises: Raise[]): void {
  for (const { path, line, before, after } of editsOf(files, changed)) {
    console.log(`${path}:${line}\n  - ${before.trim()}\n  + ${after.trim()}`);
  }
  for (const path of made.keys()) console.log(`${path}: made anew`);
  const left = leftovers(new Map([...files, ...changed]), raises);
  if (left.length > 0)
    console.log('\nLeft as it is. Read these lines, and change them by hand if they are not true now:');
  for (const { path, line, text } of left) console.log(`${path}:${line}: ${text.trim()}`);
}

function readArguments(): { wanted: Wanted[]; dryRun: boolean } {
  try {
    const { values, positionals } = parseArgs({
      options: { help: { type: 'boolean', short: 'h' }, 'dry-run': { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    if (positionals.length === 0 || positionals.length % 2 > 0) throw new Error('Name pairs of NAME and VERSION.');
    const wanted = positionals.flatMap((name, index) =>
      index % 2 > 0 ? [] : [{ name, version: String(positionals[index + 1]) }],
    );
    return { wanted, dryRun: values['dry-run'] };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    process.exit(2);
  }
}
