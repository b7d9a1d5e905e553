import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { root, steps } from '@workshop/lessons/steps';

export type Line = { number: number; text: string; folded: boolean };

export type Fence = {
  language: string;
  /** The number of its first line. */
  line: number;
  lines: string[];
  /** The text before it. */
  lead: string;
  section: string;
};

export type Document = {
  /** From the root, such as steps/02-jaeger/README.md. */
  path: string;
  /** The folder that it is in. */
  dir: string;
  /** The step that it is about. */
  step?: (typeof steps)[number];
  /** What stands outside of fences. */
  lines: Line[];
  fences: Fence[];
};

/** A place in a document, and what is wrong there: what to do. */
export type Problem = { line: number; says: string };

/** Finds what is wrong in a document. */
export type Check = (document: Document) => Problem[] | Promise<Problem[]>;

/** All documents of the project, by their path from the root. */
export const paths = (
  await Array.fromAsync(glob(['*.md', '.ci/images/*.md', 'steps/*/*.md', 'steps/*/scale/**/*.md'], { cwd: root }))
)
  .map((path) => path.replaceAll('\\', '/'))
  .sort();

export async function readDocument(path: string): Promise<Document> {
  return parseDocument(path, await readFile(join(root, path), 'utf8'));
}

/** Reads a Markdown text as if it stood at `path`. */
export function parseDocument(path: string, text: string): Document {
  const lines: Line[] = [];
  const fences: Fence[] = [];
  let fence: Fence | undefined;
  let folded = false;
  let section = '';
  let lead = '';
  for (const [index, line] of text.split('\n').entries()) {
    const [, language] = /^\s*```(\w*)/.exec(line) ?? [];
    if (fence && language === '') fence = undefined;
    else if (fence) fence.lines.push(line);
    else if (language !== undefined) {
      fence = { language, line: index + 2, lines: [], lead, section };
      fences.push(fence);
    } else {
      if (line.includes('<details>')) folded = true;
      section = /^## (.+)$/.exec(line)?.[1] ?? section;
      lines.push({ number: index + 1, text: line, folded });
      if (/^[^<\s]/.test(line)) lead = line;
      if (line.includes('</details>')) folded = false;
    }
  }
  const dir = join(root, dirname(path));
  const step = steps.find((each) => each.dir === dir);
  return { path, dir, lines, fences, ...(step && { step }) };
}

/** The pieces of code within the lines: what stands between backticks. */
export function codeSpans({ lines }: Document): { line: number; code: string }[] {
  return lines.flatMap(({ number, text }) =>
    [...text.matchAll(/(?<!`)`([^`]+)`(?!`)/g)].map(([, code = '']) => ({ line: number, code })),
  );
}

export type Table = { header: string[]; rows: { line: number; cells: string[] }[]; section: string };

export function tablesIn({ lines }: Document): Table[] {
  const tables: Table[] = [];
  let section = '';
  let last = -1;
  for (const { number, text } of lines) {
    section = /^#+ (.+)$/.exec(text)?.[1] ?? section;
    if (!/^\s*\|/.test(text)) continue;
    const cells = text
      .trim()
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    if (number !== last + 1) tables.push({ header: cells, rows: [], section });
    else if (!cells.every((cell) => /^:?-+:?$/.test(cell))) tables.at(-1)?.rows.push({ line: number, cells });
    last = number;
  }
  return tables;
}
