import { expect, test } from 'vitest';
import { LlmError } from '../src/error.ts';
import { readReply } from '../src/reply.ts';

const reply = { query: 'q', joke: 'a {b} ```c```', text: 'naïve 🗼', question: '?' };
const json = JSON.stringify(reply, null, 2);

test.each([
  ['bare JSON', json],
  ['in a markdown fence', `\`\`\`markdown\n${json}\n\`\`\``],
  ['in a json fence', `\`\`\`json\n${json}\n\`\`\``],
  ['in a fence without a name, CR LF', `\`\`\`\r\n${json}\r\n\`\`\`\r\n`],
  ['in a fence with prose around it', `Sure! Here it is:\n\`\`\`json\n${json}\n\`\`\`\nAnything else?`],
])('%s is read, and its length is that of the JSON', (_name, text) => {
  expect(readReply(text)).toEqual({ reply, responseLength: [...json].length });
});

test('wrapped in prose is read, and the prose counts', () => {
  const text = `Sure! ${json} Anything else?`;
  expect(readReply(`  ${text}\n`)).toEqual({ reply, responseLength: [...text].length });
});

test('the length is in code points: an emoji is one', () => {
  const [one, two] = ['a', '🗼'].map((text) => readReply(JSON.stringify({ ...reply, text })).responseLength);
  expect(one).toBe(two);
});

test('what is no text of the four is left out', () => {
  expect(readReply(JSON.stringify({ ...reply, extra: 1 })).reply).toEqual(reply);
});

test.each([
  ['nothing', '', 'not JSON'],
  ['prose', 'Tokyo, I think.', 'not JSON'],
  ['single quotes', json.replaceAll('"', "'"), 'not JSON'],
  ['cut off', json.slice(0, 40), 'not JSON'],
  ['cut off in a fence', `\`\`\`markdown\n${json.slice(0, 40)}`, 'not JSON'],
  ['an array', '[1]', 'not JSON'],
  ['a text missing', JSON.stringify({ ...reply, joke: undefined }), 'no texts: joke'],
  ['a number for a text', JSON.stringify({ ...reply, text: 42, query: null }), 'no texts: query, text'],
  ['five megabytes', JSON.stringify({ ...reply, text: 'x'.repeat(5_000_000) }), 'longer than a million'],
])('%s is a malformed_response', (_name, text, message) => {
  const error = catchError(() => readReply(text));
  expect(error).toBeInstanceOf(LlmError);
  expect(error).toMatchObject({ type: 'malformed_response', message: expect.stringContaining(message) });
});

function catchError(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
