// `npm run canary`: what breaks with the newest versions. All is done in a copy of the last commit, outside of the repository,
// which is removed at the end. The report is printed, the progress goes to stderr.
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCompose } from '@workshop/backends/compose-file';
import { whyNoContainers } from '@workshop/backends/lane';
import { root, steps } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { type Check, lint, type Ran, testsIn, typecheck } from './checks.ts';
import { type Files, type Raise, raiseIn } from './edits.ts';
import { imagesIn } from './images.ts';
import { findNewest, groupOf, heldBack } from './newest.ts';
import { npm } from './npm.ts';
import { releasedTogether } from './opentelemetry.ts';
import { lock, plan, readFiles } from './plan.ts';
import { type Blame, report } from './report.ts';

/** How long the groups are tried alone, in all. */
const BLAME_MINUTES = 20;

const help = `Usage: npm run canary [-- OPTIONS]

Tries the newest version of every npm package, in a copy of the last commit: install, typecheck, lint, all tests in the lanes
at hand. Where something breaks, each group of packages is tried alone, for at most ${BLAME_MINUTES} minutes in all.
Prints a report in Markdown. Exit code 0: all passes. 1: something breaks.
  --lane LANE   containers or local. Default: both, or local where no containers can be had
  --fast        without the slow tests
  --only NAME   raises this package alone. May be said again for another one
  --keep        keeps the copy, and says where it is

Images are not tried: no registry of images is asked. The report says where to look.

Examples:
  npm run canary --silent > canary.md
  npm run canary -- --fast --lane local
  npm run canary -- --only vitest`;

const options = readArguments();
// What the lane says while it pulls images is no part of the report.
console.log = console.error;
const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => ended.abort(new Error('Interrupted.')));
}
const copy = await mkdtemp(join(tmpdir(), 'workshop canary '));
// Containers read in it, and not as root.
await chmod(copy, 0o755);
try {
  process.exitCode = await canary();
} catch (error) {
  console.error(`The canary did not end: ${error instanceof Error ? error.message : error}`);
  process.exitCode = ended.signal.aborted ? 130 : 1;
} finally {
  if (options.keep) console.error(`The copy is kept: ${copy}`);
  else await rm(copy, { recursive: true, force: true, maxRetries: 5 });
}

/** Runs everything and prints the report. Returns the exit code. */
async function canary(): Promise<number> {
  await execa('git', ['clone', '--quiet', root, copy], { cancelSignal: ended.signal });
  const { stdout: commit } = await execa('git', ['log', '-1', '--format=%h %s'], { cwd: copy });
  const files = await readFiles(copy);
  const { raises, held } = await newestVersions(files);
  const { lanes, notHere } = await lanesAtHand();
  const what = { commit, raises, held, images: imagesIn(files), lanes, notHere };
  if (raises.length === 0) {
    print(report({ ...what, outcomes: [], blames: [] }));
    return 0;
  }
  const checks = [typecheck, lint];
  for (const script of options.fast ? (['test'] as const) : (['test', 'test:slow'] as const)) {
    for (const lane of lanes) checks.push(...(await testsIn(lane, script)));
  }
  progress(`all: ${raises.length} raised`);
  const outcomes = await runAll(files, raises, checks, ended.signal);
  const broken = outcomes.flatMap(({ outcome }) => outcome.failures);
  const blames = broken.length > 0 ? await findBlame(files, raises, checks, outcomes) : [];
  print(report({ ...what, outcomes, blames }));
  return broken.length > 0 ? 1 : 0;
}

/** What to raise, and what has a newer version that another package does not allow. */
async function newestVersions(files: Files) {
  progress('asking for the newest versions ...');
  const newest = await findNewest(root, files, ended.signal);
  for (const name of options.only) {
    if (!newest.some((each) => each.name === name)) throw new Error(`${name} has no newer version, or stands nowhere.`);
  }
  const chosen = newest.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const together = releasedTogether(files, await readFile(join(copy, 'package-lock.json'), 'utf8'));
  const alone = chosen.filter((each) => !together.includes(each.name) && !heldBack(each, together, []));
  const raises = await plan(copy, files, alone, false);
  const held = chosen.flatMap((each) => {
    const why = heldBack(each, together, raises);
    return why ? [{ ...each, why }] : [];
  });
  return { raises, held };
}

async function lanesAtHand(): Promise<{ lanes: string[]; notHere: string | undefined }> {
  if (options.lane) return { lanes: [options.lane], notHere: undefined };
  const last = steps.at(-1);
  const notHere = last && (await whyNoContainers(await readCompose(last.dir)));
  return { lanes: notHere ? ['local'] : ['containers', 'local'], notHere };
}

/** Installs the raised versions in the copy, and runs the checks there. An install that fails is the only outcome. */
async function runAll(files: Files, raises: Raise[], checks: Check[], signal: AbortSignal): Promise<Ran[]> {
  const outcomes: Ran[] = [];
  for (const check of [install(files, raises), ...checks]) {
    const started = Date.now();
    const outcome = await check.run(copy, signal);
    const seconds = Math.round((Date.now() - started) / 1000);
    outcomes.push({ name: check.name, outcome, seconds });
    progress(`  ${check.name}: ${outcome.passed} passed, ${outcome.failures.length} failed, ${seconds} s`);
    if (check.name === 'install' && outcome.failures.length > 0) break;
  }
  return outcomes;
}

/** Makes the copy that of its commit, with the raised versions. */
function install(files: Files, raises: Raise[]): Check {
  const run: Check['run'] = async (dir, signal) => {
    await execa('git', ['checkout', '--quiet', '--', '.'], { cwd: dir });
    try {
      const lockfile = raises.length > 0 ? [['package-lock.json', await lock(dir, files, raises)] as const] : [];
      for (const [path, text] of [...raiseIn(files, raises), ...lockfile]) await writeFile(join(dir, path), text);
      await npm(['install'], { cwd: dir, signal });
      return { passed: 1, skipped: 0, failures: [] };
    } catch (error) {
      signal.throwIfAborted();
      const says = error instanceof Error ? error.message : String(error);
      return { passed: 0, skipped: 0, failures: [{ check: 'install', test: '', says }] };
    }
  };
  return { name: 'install', run };
}

/** Runs what failed again, with nothing raised and with each group alone. Where nothing could be installed, all but the slow. */
async function findBlame(files: Files, raises: Raise[], checks: Check[], outcomes: Ran[]): Promise<Blame[]> {
  const failed = new Set(outcomes.filter(({ outcome }) => outcome.failures.length > 0).map(({ name }) => name));
  const again = checks.filter(({ name }) => (failed.has('install') ? !name.includes('slow') : failed.has(name)));
  const groups = Object.entries(Object.groupBy(raises, ({ name }) => groupOf(name)));
  const time = AbortSignal.timeout(BLAME_MINUTES * 60_000);
  const signal = AbortSignal.any([ended.signal, time]);
  const blames: Blame[] = [];
  for (const [group, alone = []] of [['nothing raised', []] as [string, Raise[]], ...groups]) {
    progress(`alone: ${group}`);
    try {
      const ran = await runAll(files, alone, again, signal);
      blames.push({ group, failures: ran.flatMap(({ outcome }) => outcome.failures) });
    } catch (error) {
      if (!time.aborted || ended.signal.aborted) throw error;
      blames.push({ group });
    }
  }
  return blames;
}

/** The report alone goes to stdout. */
function print(markdown: string): void {
  process.stdout.write(`${markdown}\n`);
}

function progress(text: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        lane: { type: 'string' },
        fast: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        keep: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    const { lane } = values;
    if (lane && !['containers', 'local'].includes(lane)) throw new Error(`There is no lane ${lane}.`);
    return values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    process.exit(2);
  }
}
