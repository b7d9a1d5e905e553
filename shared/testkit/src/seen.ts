import { stripVTControlCharacters } from 'node:util';
import type { TestError } from 'vitest';

const MAX_LENGTH = 200;

/** What a failed assertion saw: its message, and of what differs the lines that do, cut short. */
export function seenIn({ message, diff = '' }: TestError): string {
  const text = stripVTControlCharacters(diff);
  const words = message.replace(' // Object.is equality', '');
  // Values of two types stand there whole, below their labels, and no line of theirs has a sign.
  const whole = /^- Expected:\n(.*)\n\n\+ Received:\n(.*)$/s.exec(text)?.slice(1);
  const [expected = '', received = ''] = whole ?? ['-', '+'].map((sign) => linesWith(sign, text));
  return expected || received ? `${words}\nExpected: ${short(expected)}\nThere is: ${short(received)}` : words;
}

function linesWith(sign: string, diff: string): string {
  const lines = diff.split('\n').filter((line) => line.startsWith(`${sign} `) && !/^. (Expected|Received)$/.test(line));
  return lines.map((line) => line.slice(1)).join('\n');
}

function short(value: string): string {
  const text = value.replace(/\s+/g, ' ').trim().replace(/,$/, '') || 'nothing';
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)} ...` : text;
}
