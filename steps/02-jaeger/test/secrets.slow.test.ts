import { join } from 'node:path';
import { runApp } from '@workshop/testkit/app';
import { appEnv } from '@workshop/testkit/backends';
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
import { describe, expect, test } from 'vitest';

const since = Date.now();

describe.concurrent('the key is nowhere, and the question and the reply are on the screen alone', () => {
  test.each(Object.entries(makeKeys()))('%s', async (_shape, key) => {
    const secrets = { key, 'key for OTLP': makeWord(), question: makeWord(), reply: makeWord() };
    await using provider = await startIndiscreetProvider(key, secrets.reply);
    const { stdout, stderr } = await runApp([], {
      input: indiscreetQuestions.map((way) => `${way} ${secrets.question}`).join('\n'),
      env: {
        ...appEnv,
        ...provider.env,
        OTEL_EXPORTER_OTLP_HEADERS: `api-key=${secrets['key for OTLP']}`,
        OTEL_LOG_LEVEL: 'debug',
      },
    });

    const traces = traceIdsIn(stdout);
    expect(traces).toHaveLength(indiscreetQuestions.length);
    expect(secretsIn(await readStored(since, { traces }), secrets)).toEqual([]);
    expect(secretsIn({ stdout, stderr }, secrets)).toEqual(['stdout: question', 'stdout: reply']);
  });
});

test.concurrent('a key that leaks is found', async () => {
  const keys = makeKeys();
  await using leaking = await copyStep(join(import.meta.dirname, '..'));
  await makeLeak(leaking.dir, keys);
  const { stdout } = await runApp(['hello'], { cwd: leaking.dir, env: appEnv });

  const stored = await readStored(since, { traces: traceIdsIn(stdout) });
  expect(secretsIn(stored, keys)).toEqual(Object.keys(keys).map((shape) => `traces: ${shape}`));
});
