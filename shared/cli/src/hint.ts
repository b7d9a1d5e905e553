import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readState, writeState } from '@workshop/lessons/state';
import { playground } from './playground.ts';

/** A task of a README's Do it: its folded hints, and the diffs of its folded solution. */
type Task = { hints: string[]; solutions: Solution[] };

/** The words that are new in a diff, those that it takes away, and the names that it declares: an attendee's may be others. */
type Solution = { file: string; added: string[]; removed: string[]; declared: string[]; line: number };

const FOLDED = /<details><summary>(Hint|Solution)<\/summary>\n(.*?)<\/details>/gs;
const DIFF = /^```diff\n(.*?)^```$/gms;

const COMMENT = /(?:^|\s)(?:\/\/|\*|\/\*).*$/gm;
const TEXT = /'[^'\n]*'/g;
const DECLARED = /\b(?:const|let|function|type|catch \(|async \()\s*(\w+)/g;

/**
 * The next hint of the task at hand: the first that the last check is about, or of whose solution at least half is not in
 * the playground yet. Each call gives one more.
 */
export function nextHint(): string {
  const tasks = tasksOf(readFileSync(join(playground, 'README.md'), 'utf8'));
  const state = readState(playground);
  const cause = state.last?.failure?.cause;
  const red = cause?.at?.split(':')[0];
  const said = wordsOf(cause?.say ?? '');
  const isGreen = state.last && !state.last.failure;
  const open = isGreen ? [] : tasks.filter((task) => missingOf(task, tasks).length > 0);
  const task =
    open.find((task) => {
      const missing = missingOf(task, tasks);
      return missing.some((word) => said.includes(word)) || missing.length >= wordsIn(task, tasks).length / 2;
    }) ??
    open.find(({ solutions }) => solutions.some(({ file }) => file === red)) ??
    open[0];
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
  return [...text.matchAll(DIFF)].map(([, diff = '']) => {
    const added = linesOf(diff, /^\+(?!\+\+ b\/)(.*)$/gm);
    const removed = linesOf(diff, /^-(?!-- )(.*)$/gm);
    const words = wordsOf(added);
    const before = wordsOf(`${removed}\n${linesOf(diff, /^ (.*)$/gm)}`);
    return {
      file: /^\+\+\+ b\/(\S+)/m.exec(diff)?.[1] ?? '',
      added: words.filter((word) => !before.includes(word)),
      removed: wordsOf(removed).filter((word) => !words.includes(word)),
      declared: [...added.matchAll(DECLARED)].map(([, name = '']) => name),
      line,
    };
  });
}

function linesOf(diff: string, pattern: RegExp): string {
  return [...diff.matchAll(pattern)].map(([, line]) => line).join('\n');
}

function wordsOf(text: string): string[] {
  // Nobody writes sentences in the same words.
  const code = text.replace(COMMENT, '').replace(TEXT, (quoted) => (quoted.includes(' ') ? '' : quoted));
  return [...new Set(code.match(/[A-Za-z_]\w*/g))];
}

/**
 * The new words of a task's solution, with their files. What a later task takes away does not count, and neither do the
 * names that the solutions declare.
 */
function wordsIn(task: Task, tasks: Task[]): { file: string; word: string }[] {
  const later = tasks.slice(tasks.indexOf(task) + 1).flatMap(({ solutions }) => solutions);
  const declared = tasks.flatMap(({ solutions }) => solutions.flatMap((solution) => solution.declared));
  const other = new Set([...later.flatMap(({ removed }) => removed), ...declared]);
  return task.solutions.flatMap(({ file, added }) =>
    added.filter((word) => !other.has(word)).map((word) => ({ file, word })),
  );
}

/** Those of them that the playground's files do not have. */
function missingOf(task: Task, tasks: Task[]): string[] {
  return wordsIn(task, tasks).flatMap(({ file, word }) => {
    const path = join(playground, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return wordsOf(text).includes(word) ? [] : [word];
  });
}
