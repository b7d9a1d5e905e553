import { expect, test } from 'vitest';
import { printable } from '../src/text.ts';

test('what steers a terminal becomes visible, what is text stays', () => {
  expect(printable('a\tb\nc é 東京 🗼')).toBe('a\tb\nc é 東京 🗼');
  expect(printable('\x00\x1b[31m\r\x7f\x9b\u202e\u2066\u2028')).toBe(
    '\\u0000\\u001b[31m\\u000d\\u007f\\u009b\\u202e\\u2066\\u2028',
  );
});

test('JSON stays the same JSON', () => {
  const value = { text: '\x1b\x7f\x9b\u202e"\\' };
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
});
