import { afterEach, expect, test } from 'vitest';
import { seenIn } from '../src/seen.ts';

const seen: Record<string, string> = {};
afterEach(({ task }) => {
  for (const error of task.result?.errors ?? []) seen[task.name] = seenIn(error);
});

test.fails('a text is missing', () => expect(undefined, 'The link').toBe('http://localhost'));
test.fails('an object is missing', () => expect(undefined).toEqual({ a: 1, b: 2 }));
test.fails('one line', () => expect('one').toBe('two'));
test.fails('many lines', () => expect('same\none').toBe('same\ntwo'));
test.fails('numbers', () => expect(1).toBe(2));
test.fails('one more', () => expect(['one', 'two']).toEqual(['one']));
test.fails('very long', () => expect([1]).toEqual(['x'.repeat(300)]));

test('what a failed assertion saw is told in words', () => {
  expect(seen).toEqual({
    'a text is missing':
      'The link: expected undefined to be \'http://localhost\'\nExpected: "http://localhost"\nThere is: undefined',
    'an object is missing':
      'expected undefined to deeply equal { a: 1, b: 2 }\nExpected: { "a": 1, "b": 2, }\nThere is: undefined',
    'one line': "expected 'one' to be 'two'",
    'many lines': "expected 'same\\none' to be 'same\\ntwo'\nExpected: two\nThere is: one",
    numbers: 'expected 1 to be 2\nExpected: 2\nThere is: 1',
    'one more': "expected [ 'one', 'two' ] to deeply equal [ 'one' ]\nExpected: nothing\nThere is: \"two\"",
    'very long': expect.stringMatching(/\nExpected: "x{199} \.\.\.\nThere is: 1$/),
  });
});
