import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readState, writeState } from '@workshop/lessons/state';
import { playground } from './playground.ts';

/** A task of a README's Do it: its folded hints, and the diffs of its folded solution. */
type Task = { hints: string[]; solutions: Solution[] };

type Solution = { file: string; added: string[]; removed: string[]; line: number };

const FOLDED = /<details><summary>(Hint|Solution)<\/summary>\n(.*?)<\/details>/gs;
const DIFF = /^```diff\n(.*?)^```$/gms;

/** The next hint of the task at hand: the first whose solution is not in the playground yet. Each call gives one more. */
export function nextHint(): string {
  const tasks = tasksOf(readFileSync(join(playground, 'README.md'), 'utf8'));
  const state = readState(playground);
  const cause = state.last?.failure?.cause;
  const red = cause?.at?.split(':')[0];
  const open = tasks.filter((_task, i) => isOpen(i, tasks));
  const task = open.find(({ solutions }) => solutions.some(({ file }) => file === red)) ?? open[0];
  if (!task && cause) return `The last check says: look at ${cause.at ?? 'your work'}, ${cause.say}`;
  if (!task) return 'Your work has all that the README asks for. npx workshop check says whether it works.';

  const number = String(tasks.indexOf(task) + 1);
  const shown = state.hints?.[number] ?? 0;
  const [solution] = task.solutions;
  const hint = task.hints[shown];
  if (!hint) return `There are no more hints for this task. The solution is in README.md, line ${solution?.line}.`;
  writeState(playground, { ...state, hints: { ...state.hints, [number]: shown + 1 } });
  return `Hint ${shown + 1} of ${task.hints.length}, for ${solution?.file}:\n\n${hint}`;
}

function tasksOf(readme: string): Task[] {
  const tasks: Task[] = [];
  let hints: string[] = [];
  for (const { 1: kind, 2: text = '', index } of readme.matchAll(FOLDED)) {
    if (kind === 'Hint') hints.push(text.trim());
    else {
      tasks.push({ hints, solutions: solutionsOf(text, readme.slice(0, index).split('\n').length) });
      hints = [];
    }
  }
  return tasks;
}

function solutionsOf(text: string, line: number): Solution[] {
  return [...text.matchAll(DIFF)].map(([, diff = '']) => ({
    file: /^\+\+\+ b\/(\S+)/m.exec(diff)?.[1] ?? '',
    added: linesOf(diff, /^\+(?!\+\+ b\/)(.*)$/gm),
    removed: linesOf(diff, /^-(?!-- )(.*)$/gm),
    line,
  }));
}

function linesOf(diff: string, pattern: RegExp): string[] {
  return [...diff.matchAll(pattern)].map(([, line = '']) => line.trim()).filter(Boolean);
}

/** Whether something of the solution of task `i` is not in the playground. What a later task replaces does not count. */
function isOpen(i: number, tasks: Task[]): boolean {
  const replaced = new Set(tasks.slice(i + 1).flatMap(({ solutions }) => solutions.flatMap(({ removed }) => removed)));
  return (tasks[i]?.solutions ?? []).some(({ file, added }) => {
    const path = join(playground, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const lines = new Set(text.split('\n').map((line) => line.trim()));
    return added.some((line) => !lines.has(line) && !replaced.has(line));
  });
}
