import { join } from 'node:path';
import { startApp } from '@workshop/testkit/app';
import { appEnv, localLane } from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { copyStep } from '@workshop/testkit/readme';
import {
  indiscreetQuestions,
  makeKeys,
  makeLeak,
  makeWord,
  secretsIn,
  startIndiscreetProvider,
} from '@workshop/testkit/secrets';
import { readStored } from '@workshop/testkit/stored';
import { expect, test, vi } from 'vitest';

const since = Date.now();

/** Types questions on an app, and reads all that is stored when all of it is there. */
async function askAndRead(questions: string[], env: Record<string, string>, cwd?: string) {
  const model = makeWord();
  await using app = startApp([], { env: { ...appEnv, ...env, LLM_MODEL: model }, ...(cwd && { cwd }) });
  app.type(`${questions.join('\n')}\n`);
  await vi.waitFor(() => expect(traceIdsIn(app.stdout)).toHaveLength(questions.length), { timeout: 20_000 });
  const marks = {
    traces: traceIdsIn(app.stdout),
    'pages of metrics': [model],
    ...(!localLane && { metrics: [model] }),
  };
  const stored = await readStored(since, marks);
  return { stored, output: { stdout: app.stdout, stderr: app.stderr } };
}

test('the key is nowhere, and the question and the reply are on the screen alone', async () => {
  const key = makeWord();
  const secrets = { key, question: makeWord(), reply: makeWord() };
  await using provider = await startIndiscreetProvider(key, secrets.reply);
  const questions = indiscreetQuestions.map((way) => `${way} ${secrets.question}`);
  const { stored, output } = await askAndRead(questions, provider.env);

  expect(secretsIn(stored, secrets)).toEqual([]);
  expect(secretsIn(output, secrets)).toEqual(['stdout: question', 'stdout: reply']);
});

test('a key that leaks is found', async () => {
  const keys = makeKeys();
  await using provider = await startIndiscreetProvider(makeWord());
  await using leaking = await copyStep(join(import.meta.dirname, '..'));
  await makeLeak(leaking.dir, keys);
  const { stored } = await askAndRead(['reply'], provider.env, leaking.dir);

  const places = localLane ? ['traces', 'pages of metrics'] : ['traces', 'metrics', 'pages of metrics'];
  const everywhere = places.flatMap((place) => Object.keys(keys).map((shape) => `${place}: ${shape}`));
  expect(secretsIn(stored, keys)).toEqual(everywhere);
});
