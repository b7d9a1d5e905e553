import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layDown } from '@workshop/lessons/begin';
import { before, root, type Step, steps } from '@workshop/lessons/steps';
import { changedLines } from '@workshop/testkit/readme';
import { commandsIn } from './commands.ts';
import { type Check, type Document, type Problem, readDocument, type Table, tablesIn } from './document.ts';

const README = await readDocument('README.md');

/** The minutes of a step are the same in all documents, and what is called a total is the sum. */
export const minutesAgree: Check = (document) => {
  const problems = tablesIn(document).flatMap((table) => [...totalProblems(table), ...rowProblems(table)]);
  if (!document.step) return problems;
  const time = document.lines.findIndex(({ text }) => text === '## Time');
  const line = document.lines.slice(time + 1).find(({ text }) => text !== '');
  const [stated] = minutesOf(/^\d[\d +]*(?= minutes)/.exec(line?.text ?? '')?.[0] ?? '');
  const minutes = minutesOfStep(document.step);
  if (stated !== minutes) problems.push({ line: line?.number ?? 1, says: `README.md gives it ${minutes} minutes.` });
  return problems;
};

function totalProblems(table: Table): Problem[] {
  const column = table.header.indexOf('minutes');
  const total = table.rows.findIndex(({ cells }) => /^\**total/i.test(cells[0] ?? ''));
  if (column < 0 || total < 0) return [];
  const sum = table.rows
    .slice(0, total)
    .flatMap(({ cells }) => minutesOf(cells[column] ?? ''))
    .reduce((a, b) => a + b, 0);
  const { line, cells } = table.rows[total] as Table['rows'][number];
  return minutesOf(cells[column] ?? '')[0] === sum ? [] : [{ line, says: `the minutes add up to ${sum}.` }];
}

function rowProblems(table: Table): Problem[] {
  const column = table.header.indexOf('minutes');
  if (column < 0) return [];
  return table.rows.flatMap(({ line, cells }) => {
    const step = steps.find(({ name }) => cells.some((cell) => cell.startsWith(`[${name}]`)));
    const minutes = step && minutesOfStep(step);
    const [stated] = minutesOf(cells[column] ?? '');
    return minutes === stated || !step ? [] : [{ line, says: `README.md gives ${step.name} ${minutes} minutes.` }];
  });
}

/** What the map in README.md says. The capstone's minutes, behind a plus, are not the step's own. */
function minutesOfStep(step: Step): number | undefined {
  return minutesOf(mapCell(README, step, /^minutes$/)?.text ?? '')[0];
}

/** The numbers of a cell such as 50 + 15. */
function minutesOf(cell: string): number[] {
  return (cell.match(/\d+/g) ?? []).map(Number);
}

function mapCell(document: Document, step: Step, column: RegExp): { line: number; text: string } | undefined {
  for (const { header, rows } of tablesIn(document)) {
    const index = header.findIndex((name) => column.test(name));
    const row = rows.find(({ cells }) => cells[0]?.startsWith(`[${step.name}]`));
    if (index >= 0 && row) return { line: row.line, text: row.cells[index] ?? '' };
  }
  return undefined;
}

/** The map in README.md says how many lines of a step's src/ an attendee types, and how many differ from the step before. */
export const sizesAreMeasured: Check = async (document) => {
  if (document.path !== README.path) return [];
  const problems: Problem[] = [];
  for (const step of steps) {
    for (const [column, size] of Object.entries(await sizesOf(step))) {
      const cell = mapCell(document, step, new RegExp(`\\b${column}\\b`));
      if (size === undefined || Number(/\d+/.exec(cell?.text ?? '')?.[0]) === size) continue;
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
    .filter(
      ({ words: [npm, command = '', ...names] }) => npm === 'npm' && /^(i|install)$/.test(command) && names.length > 0,
    )
    .flatMap(({ line, words }) =>
      words.slice(2).flatMap((word) => {
        const [, name = '', version] = /^(@?[\w./-]+)(?:@(.+))?$/.exec(word) ?? [];
        const ours = lockfile[`node_modules/${name}`]?.version;
        if (word.startsWith('-') || /^[A-Z@]+$/.test(word)) return [];
        if (ours && version !== ours) return [{ line, says: `\`${word}\`: ours is ${name}@${ours}.` }];
        return /^\d+\.\d+\.\d+$/.test(version ?? '') ? [] : [{ line, says: `\`${word}\`: name an exact version.` }];
      }),
    );
