import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import dictionary from 'dictionary-en-gb';
import Typo from 'typo-js';
import { type Check, type Document, tablesIn } from './document.ts';

/** How much there is to read, in lines of 120 characters: paragraphs and lists. */
const LINES = { step: 100, 'FACILITATOR.md': 200 } as Record<string, number>;
const LINE_LENGTH = 120;
const WORDS_OF_A_SENTENCE = 30;

/** Words that tell the reader nothing, or that only their writer hears. */
const REFUSED = /\b(just|simply|obviously|of course|by itself|has got|have got|to the letter|in peace)\b|;/gi;

type Text = { line: number; text: string; folded: boolean };

/** A step's README can be read in the time that the step has. Other documents have no limit but the one above. */
export const isShort: Check = (document) => {
  const limit = LINES[document.step ? 'step' : document.path];
  const length = paragraphsIn(document)
    .filter(({ folded }) => !folded)
    .reduce((sum, { text }) => sum + Math.ceil(text.length / LINE_LENGTH), 0);
  if (!limit || length <= limit) return [];
  return [{ line: 1, says: `${length} lines of prose: take out ${length - limit}.` }];
};

/** No sentence is too long, and no word is of no use. */
export const isPlain: Check = (document) =>
  textsIn(document).flatMap(({ line, text }) => {
    const plain = withoutCode(text, 'x');
    const refused = [...plain.matchAll(REFUSED)].map(([word]) => ({ line, says: `say it without "${word}".` }));
    const long = plain
      .split(/(?<=[.?!:;]\**)\s+/)
      .map((sentence) => ({ sentence, count: sentence.split(/\s+/).filter((word) => /\w/.test(word)).length }))
      .filter(({ count }) => count > WORDS_OF_A_SENTENCE)
      .map(({ sentence, count }) => ({ line, says: `a sentence of ${count} words: ${sentence}` }));
    return [...refused, ...long];
  });

/** Names and terms that the dictionary does not have. */
export const ownWords = (await readFile(join(import.meta.dirname, 'own-words.txt'), 'utf8')).trim().split('\n');
const typo = new Typo('en_GB', textOf(dictionary.aff), textOf(dictionary.dic));

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Every word is in the dictionary of British English, or in own-words.txt. */
export const isSpelled: Check = (document) =>
  [...wordsOf(document)]
    .filter(([word]) => ![word, word.toLowerCase()].some((each) => ownWords.includes(each)) && !typo.check(word))
    .map(([word, line]) => ({ line, says: `is "${word}" spelled right? If it is a name or a term: own-words.txt.` }));

/** The words of a document, without code, file names and addresses, and the line where each is first. */
export function wordsOf(document: Document): Map<string, number> {
  const headings = document.lines.filter(({ text }) => text.startsWith('#'));
  const texts = [...headings.map(({ number, text }) => ({ line: number, text })), ...textsIn(document)];
  const words = texts.flatMap(({ line, text }) => {
    const prose = withoutCode(text, ' ').replace(/\S*[\d/_@.]\w\S*|<[^>]*>/g, ' ');
    const found = prose.match(/\p{L}[\p{L}'’]*/gu) ?? [];
    return found.map((word) => [word.replace(/['’]s?$/, ''), line] as const);
  });
  return new Map(words.toReversed());
}

function withoutCode(text: string, word: string): string {
  return text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/`[^`]*`/g, word)
    .replace(/https?:\S+/g, word);
}

/** Paragraphs, list items, and the cells of tables. */
function textsIn(document: Document): Text[] {
  const cells = tablesIn(document).flatMap(({ rows }) =>
    rows.flatMap((row) => row.cells.map((text) => ({ line: row.line, text, folded: false }))),
  );
  return [...paragraphsIn(document), ...cells];
}

/** Paragraphs and list items, each in one line. */
function paragraphsIn({ lines }: Document): Text[] {
  const paragraphs: Text[] = [];
  let open = false;
  for (const { number, text, folded } of lines) {
    if (/^\s*($|[|#<]|!\[)/.test(text)) open = false;
    else if (open && !/^\s*([-*]|\d+\.) /.test(text)) {
      const last = paragraphs.at(-1);
      if (last) last.text += ` ${text.trim()}`;
    } else {
      paragraphs.push({ line: number, text, folded });
      open = true;
    }
  }
  return paragraphs;
}
