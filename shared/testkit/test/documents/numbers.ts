import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layDown } from '@workshop/lessons/begin';
import { before, root, type Step, steps } from '@workshop/lessons/steps';
import { changedLines } from '@workshop/testkit/readme';
import { commandsIn } from './commands.ts';
import { type Check, type Document, type Problem, readDocument, type Table, tablesIn } from './document.ts';

const README = await readDocument('README.md');

/** The minutes of a step and of the capstone are those of the map in README.md, and a total is the sum. */
export const minutesAgree: Check = (document) => {
  const problems = tablesIn(document).flatMap((table) => [...minutesProblems(table), ...totalProblems(table)]);
  if (!document.step) return problems;
  const heading = document.lines.findIndex(({ text }) => text === '## Time');
  const time = document.lines.find(({ text }, index) => index > heading && text !== '');
  const minutes = minutesOfStep(document.step).join(' and ');
  if (numbersIn(time?.text).join(' and ') === minutes) return problems;
  return [...problems, { line: time?.number ?? 1, says: `README.md gives it ${minutes} minutes.` }];
};

function minutesProblems({ header, rows }: Table): Problem[] {
  const column = header.indexOf('minutes');
  const capstone = steps.flatMap(minutesOfStep).at(-1);
  return rows.flatMap(({ line, cells: [part = '', ...cells] }) => {
    const step = steps.find(({ name }) => part.startsWith(`[${name}]`));
    const minutes = part === 'capstone' ? capstone : step && minutesOfStep(step)[0];
    const [stated] = numbersIn(cells[column - 1]);
    if (column < 0 || minutes === undefined || stated === minutes) return [];
    return [{ line, says: `README.md gives it ${minutes} minutes.` }];
  });
}

function totalProblems({ header, rows }: Table): Problem[] {
  const column = header.indexOf('minutes');
  const total = rows.find(({ cells }) => cells[0]?.replaceAll('*', '') === 'total');
  if (!total || column < 0) return [];
  const sum = rows
    .slice(0, rows.indexOf(total))
    .flatMap(({ cells }) => numbersIn(cells[column]))
    .reduce((one, other) => one + other, 0);
  return numbersIn(total.cells[column])[0] === sum ? [] : [{ line: total.line, says: `the minutes add up to ${sum}.` }];
}

/** What the map in README.md says: the minutes of a step, and behind a plus those of the capstone. */
function minutesOfStep(step: Step): number[] {
  return numbersIn(mapCell(README, step, /^minutes$/)?.text);
}

/** The numbers in a text such as 50 + 15. */
function numbersIn(text = ''): number[] {
  return (text.match(/\d+/g) ?? []).map(Number);
}

function mapCell(document: Document, step: Step, column: RegExp): { line: number; text: string } | undefined {
  for (const { header, rows } of tablesIn(document)) {
    const index = header.findIndex((name) => column.test(name));
    const row = rows.find(({ cells }) => cells[0]?.startsWith(`[${step.name}]`));
    if (index >= 0 && row) return { line: row.line, text: row.cells[index] ?? '' };
  }
  return undefined;
}

/** The map in README.md says how many lines of a step's src/ you type, and how many differ from the step before. */
export const sizesAreMeasured: Check = async (document) => {
  if (document.path !== README.path) return [];
  const problems: Problem[] = [];
  for (const step of steps) {
    for (const [column, size] of Object.entries(await sizesOf(step))) {
      const cell = mapCell(document, step, new RegExp(`\\b${column}\\b`));
      if (size === undefined || numbersIn(cell?.text)[0] === size) continue;
      problems.push({
        line: cell?.line ?? 1,
        says: `${step.name}: in the map's column "... ${column} ..." stands ${size}.`,
      });
    }
  }
  return problems;
};

/** The lines added and removed in a step's src/, against what the attendee begins with and against the step before. */
async function sizesOf(step: Step): Promise<Record<'type' | 'before', number | undefined>> {
  const begun = await mkdtemp(join(tmpdir(), 'begun '));
  await layDown(step, begun);
  const src = join(step.dir, 'src');
  const previous = before(step);
  const sizes = {
    type: await changedLines(join(begun, 'src'), src),
    before: previous && (await changedLines(join(previous.dir, 'src'), src)),
  };
  await rm(begun, { recursive: true, force: true });
  return sizes;
}

const lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')).packages;

/** `npm i` names exact versions, those of the lockfile where it has the package. */
export const versionsAreOurs: Check = (document) =>
  commandsIn(document)
    .filter(({ words: [npm, command = ''] }) => npm === 'npm' && /^(i|install)$/.test(command))
    .flatMap(({ line, words }) => {
      const packages = words.slice(2).filter((word) => !/^-|^[A-Z@]+$/.test(word));
      return packages.flatMap((word) => {
        const [, name, version] = /^(.[^@]*)(?:@(.+))?$/.exec(word) ?? [];
        const ours = lockfile[`node_modules/${name}`]?.version;
        if (ours && version !== ours) return [{ line, says: `\`${word}\`: ours is ${name}@${ours}.` }];
        return /^\d+\.\d+\.\d+$/.test(version ?? '') ? [] : [{ line, says: `\`${word}\`: name an exact version.` }];
      });
    });
