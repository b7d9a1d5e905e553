import { join } from 'node:path';
import { runApp } from '@workshop/testkit/app';
import { spansIn } from '@workshop/testkit/console';
import { copyStep, edit } from '@workshop/testkit/readme';
import {
  indiscreetQuestions,
  makeKeys,
  makeLeak,
  makeWord,
  secretsIn,
  startIndiscreetProvider,
} from '@workshop/testkit/secrets';
import { describe, expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');

describe.concurrent('the key is nowhere, whatever the provider answers', () => {
  test.each(Object.entries(makeKeys()))('%s', async (_shape, key) => {
    await using provider = await startIndiscreetProvider(key);
    const { stdout, stderr } = await runApp([], {
      input: indiscreetQuestions.join('\n'),
      env: { ...provider.env, OTEL_LOG_LEVEL: 'debug', OPENAI_LOG: 'debug' },
    });

    for (const { headers } of provider.requests) expect(headers.authorization).toBe(`Bearer ${key}`);
    expect(spansIn(stdout)).toHaveLength(indiscreetQuestions.length);
    expect(secretsIn({ stdout, stderr }, { key })).toEqual([]);
  });
});

test.concurrent('keys for other things stay here: the provider gets its own only', async () => {
  const others = { OPENAI_API_KEY: makeWord(), OPENAI_ADMIN_KEY: makeWord(), OPENAI_ORG_ID: makeWord() };
  await using provider = await startIndiscreetProvider(makeWord());
  const { stdout, stderr } = await runApp(['reply'], { env: { ...provider.env, ...others } });

  const received = JSON.stringify(provider.requests);
  expect(received).toContain(provider.env.LLM_API_KEY);
  expect(secretsIn({ stdout, stderr, 'requests to the provider': received }, others)).toEqual([]);
});

test.concurrent('a bug: the message of an exception is shown and recorded, its cause nowhere', async () => {
  const [message, cause] = [makeWord(), makeWord()];
  await using buggy = await copyStep(step);
  const bug = `      throw new Error('${message}', { cause: new Error('${cause}') });\n`;
  await edit(join(buggy.dir, 'src/llm.ts'), /(?<=const answer = .*\n)/, bug);
  const { stdout, stderr } = await runApp(['hello'], { cwd: buggy.dir });

  expect(secretsIn({ stdout, stderr }, { message, cause })).toEqual(['stdout: message', 'stderr: message']);
});

test.concurrent('a key that leaks is found', async () => {
  const keys = makeKeys();
  await using leaking = await copyStep(step);
  await makeLeak(leaking.dir, keys);
  const { stdout, stderr } = await runApp(['hello'], { cwd: leaking.dir });

  const places = { stdout, stderr, spans: JSON.stringify(spansIn(stdout)) };
  const everywhere = Object.keys(places).flatMap((place) => Object.keys(keys).map((shape) => `${place}: ${shape}`));
  expect(secretsIn(places, keys)).toEqual(everywhere);
});
