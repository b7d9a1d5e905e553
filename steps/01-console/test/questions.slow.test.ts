import { runApp } from '@workshop/testkit/app';
import { repliesIn, spansIn } from '@workshop/testkit/console';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { expect, test } from 'vitest';

test('three piped lines, the last without a newline, are three questions', async () => {
  const { stdout, exitCode } = await runApp([], { input: 'one\ntwo\nthree' });

  expect(repliesIn(stdout).map(({ query }) => query)).toEqual(['one', 'two', 'three']);
  expect(stdout).not.toContain('How can I help You Today?');
  expect(exitCode).toBe(0);
});

test('empty lines are no questions, and no input is no question', async () => {
  expect(spansIn((await runApp([], { input: '\n   \n\t\nhello\n\n' })).stdout)).toHaveLength(1);

  const { stdout, exitCode } = await runApp([], { input: '' });
  expect(spansIn(stdout)).toHaveLength(0);
  expect(exitCode).toBe(0);
});

test('a question of 100 kB is asked whole', async () => {
  const question = `${'very '.repeat(20_000)}long question`;
  const { stdout } = await runApp([], { input: question });

  expect(repliesIn(stdout)[0]?.query).toBe(question);
  expect(Number(spansIn(stdout)[0]?.attributes['llm.api.response_length'])).toBeGreaterThan(2 * question.length);
});

test('a question in any script comes back as it was', async () => {
  const question = '東京タワーの高さは？ 🗼 Grüße, שלום';
  const { stdout } = await runApp([question]);

  expect(repliesIn(stdout)[0]?.query).toBe(question);
  expect(spansIn(stdout)[0]?.attributes['llm.api.response_length']).toBe(
    [...JSON.stringify(repliesIn(stdout)[0], null, 2)].length,
  );
});

test('control characters reach the terminal neither from a question nor from an answer', async () => {
  const hostile = '\x1b[2J\x1b]0;owned\x07\x7f\x9b31m\u202e';
  await using provider = await startProvider((_request, response) => {
    send(response, 200, completion(JSON.stringify({ query: hostile, joke: hostile, text: 'ok', question: hostile })));
  });
  const { stdout, stderr } = await runApp([`hello ${hostile}`], { env: provider.env });

  expect(repliesIn(stdout)[0]?.query).toBe(hostile);
  expect(`${stdout}${stderr}`.match(/(?!\n)[\p{Control}\p{Bidi_Control}]/u)).toBeNull();
});

test('--help explains, an unknown option is wrong usage', async () => {
  const { stdout, exitCode } = await runApp(['--help']);
  expect(stdout).toContain('Usage: npm start');
  expect(exitCode).toBe(0);

  const wrong = await runApp(['--nonsense']);
  expect(wrong.stderr).toContain('--nonsense');
  expect(wrong.stderr).toContain('Usage: npm start');
  expect(wrong.exitCode).toBe(2);
});
