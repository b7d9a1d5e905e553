import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Check, type Document, type Problem, tablesIn } from './document.ts';

/**
 * In a table with a column `test` each row names tests: a link to their file, and between backticks their names as the file
 * has them. Only what does not apply has none.
 */
export const testsExist: Check = async (document) => {
  const problems: Problem[] = [];
  for (const { header, rows } of tablesIn(document)) {
    if (!header.includes('test')) continue;
    for (const { line, cells } of rows) {
      if (cells.some((cell) => cell.startsWith('does not apply'))) continue;
      const missing = await missingTests(cells[header.indexOf('test')] ?? '', document);
      problems.push(...missing.map((says) => ({ line, says })));
    }
  }
  return problems;
};

async function missingTests(cell: string, { dir }: Document): Promise<string[]> {
  const files = [...cell.matchAll(/\]\(([^)]+)\)([^[]*)/g)];
  if (files.length === 0) return ['it links no test.'];
  const missing = files.map(async ([, path = '', rest = '']) => {
    const source = await readFile(join(dir, path), 'utf8').catch(() => '');
    const names = [...rest.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    if (names.length === 0) return [`it names no test of ${path}.`];
    const isThere = (name: string) => ["'", '"', '`'].some((quote) => source.includes(quote + name + quote));
    return names.filter((name) => !isThere(name)).map((name) => `${path} has no test \`${name}\`.`);
  });
  return (await Promise.all(missing)).flat();
}
