import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canUseTerminal, runApp, startApp, startAppOnTerminal, stepDir } from '@workshop/testkit/app';
import { appEnv, findSpans, findTrace } from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { copyStep } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';

const HINT = 'the last batch was not flushed: no onExit(() => sdk.shutdown()) in src/telemetry.ts.';
const cancelled = { status: { code: 'ERROR' }, attributes: { 'error.type': 'cancelled' } };

test.skipIf(!canUseTerminal)('the span survives Ctrl-C (on Linux, whose script command makes a terminal)', async () => {
  await using app = startAppOnTerminal([], { env: { ...appEnv, LLM_FAULT: 'slow' } });
  await app.shows(/How can I help You Today\?/);
  app.type('What is a trace?\r');
  await app.shows(/Human: What is a trace\?/);
  app.type('\x03');
  const { exitCode } = await app.ended;

  expect(exitCode).toBe(130);
  expect(await findTrace(traceIdsIn(app.stdout)[0])).toMatchObject([cancelled]);
});

test.skipIf(process.platform === 'win32').each(['SIGTERM', 'SIGHUP'] as const)(
  'the span survives %s (Windows has no signals)',
  async (signal) => {
    await using app = startApp(['What is a trace?'], { env: { ...appEnv, LLM_FAULT: 'slow' } });
    await app.shows(/Human: What is a trace\?/);
    app.signal(signal);
    await app.ended;
    await app.shows(/Trace: /);

    expect(await findTrace(traceIdsIn(app.stdout)[0])).toMatchObject([cancelled]);
  },
);

test('the span survives an uncaught exception', async () => {
  await using crashing = await copyStep(stepDir);
  await writeFile(
    join(crashing.dir, 'src/app.ts'),
    `import { callLlm } from './llm.ts';\n\nawait callLlm('What is a trace?');\nthrow new Error('a bug');\n`,
  );
  const service = `crashing-${crypto.randomUUID()}`;
  const { stderr, exitCode } = await runApp([], {
    cwd: crashing.dir,
    env: { ...appEnv, OTEL_SERVICE_NAME: service },
  });

  expect(stderr).toContain('Error: a bug');
  expect(exitCode).toBe(1);
  await expect.poll(() => findSpans({ service }), { timeout: 10_000, message: HINT }).toHaveLength(1);
});
