import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { layDown } from '@workshop/lessons/begin';
import { readState, writeState } from '@workshop/lessons/state';
import { findStep, root, type Step } from '@workshop/lessons/steps';

/** Where the attendee works. */
export const playground = join(root, 'playground');
const savedFolder = join(root, 'playground.saved');
/** A playground in the making, named after the process that makes it. */
const IN_THE_MAKING = /^\.playground-(\d+)$/;

/** The step that a playground is at. Undefined if `folder` is none. */
export function stepOf(folder: string = playground): Step | undefined {
  try {
    return findStep(readState(folder).step);
  } catch {
    return undefined;
  }
}

/**
 * Makes a new playground at the start of `step`, or `solved`. The one that was there goes to playground.saved/: returns its
 * name in there. The new one is made beside it and then renamed, so that there is a whole one at any time.
 */
export async function begin(step: Step, solved: boolean): Promise<string | undefined> {
  await removeUnfinished();
  const next = join(root, `.playground-${process.pid}`);
  await layDown(step, next, solved);
  // The last file: a folder that has it is whole.
  writeState(next, { step: step.number });
  const saved = await save();
  await rename(next, playground);
  return saved;
}

/** Puts a new playground in place whose `begin` was killed just before it could do so itself. */
export async function finishInterrupted(): Promise<void> {
  if (existsSync(playground)) return;
  const whole = (await unfinished()).find((folder) => stepOf(folder));
  if (whole) await rename(whole, playground);
}

/** The names of the playgrounds that were saved, the latest first. */
export async function listSaved(): Promise<{ name: string; step: Step | undefined }[]> {
  const names = await readdir(savedFolder).catch(() => []);
  return names
    .sort()
    .reverse()
    .map((name) => ({ name, step: stepOf(join(savedFolder, name)) }));
}

/**
 * Brings a saved playground back: the one of that `name`, or else the latest. The one that was there is saved in its place:
 * returns its name. Throws an Error when there is none.
 */
export async function restore(name?: string): Promise<string | undefined> {
  const all = await listSaved();
  const wanted = name ? all.find((saved) => saved.name === name) : all[0];
  if (!wanted) {
    const missing = name ? `There is no playground.saved/${name}.` : 'No playground is saved yet.';
    throw new Error(`${missing} npx workshop begin --list shows which there are.`);
  }
  const saved = await save();
  await rename(join(savedFolder, wanted.name), playground);
  return saved;
}

/** Moves the playground to playground.saved/. Returns its name there; undefined if there is none. */
async function save(): Promise<string | undefined> {
  if (!existsSync(playground)) return undefined;
  await mkdir(savedFolder, { recursive: true });
  // Local time, such as 2026-11-26T14-05-59.
  const now = new Date().toLocaleString('sv').replace(' ', 'T').replaceAll(':', '-');
  // Later than all that are there: the latest is the one that --restore brings back.
  const names = await readdir(savedFolder);
  let name = now;
  for (let i = 2; names.some((other) => other.startsWith(now) && other >= name); i += 1) name = `${now}-${i}`;
  await rename(playground, join(savedFolder, name));
  return name;
}

async function removeUnfinished(): Promise<void> {
  for (const folder of await unfinished()) await rm(folder, { recursive: true, force: true });
}

/** The folders that a `begin` which was killed has left. */
async function unfinished(): Promise<string[]> {
  const names = await readdir(root);
  return names
    .filter((name) => {
      const [, maker] = IN_THE_MAKING.exec(name) ?? [];
      return maker && !isAnother(Number(maker));
    })
    .map((name) => join(root, name));
}

/** Whether a process of that id runs, other than this one. */
function isAnother(pid: number): boolean {
  try {
    return pid !== process.pid && process.kill(pid, 0);
  } catch {
    return false;
  }
}
