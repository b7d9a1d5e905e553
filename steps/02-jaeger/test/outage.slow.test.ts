import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { composeProject } from '@workshop/backends/compose';
import { type App, runApp, startApp } from '@workshop/testkit/app';
import { localLane } from '@workshop/testkit/backends';
import { repliesIn, traceIdsIn } from '@workshop/testkit/console';
import getPort from 'get-port';
import { describe, expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const complaints = (stderr: string) => stderr.match(/Telemetry was not sent to \S+ \(\w+/g);

test('Jaeger down: the app answers, says once where it could not send, and exits in time', async () => {
  const endpoint = `http://localhost:${await getPort()}`;
  await using app = startApp(['What is a trace?'], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } });
  await app.shows(/Trace: /);
  const answered = Date.now();
  const { stdout, stderr, exitCode } = await app.ended;

  expect(repliesIn(stdout)).toHaveLength(1);
  expect(complaints(stderr)).toEqual([`Telemetry was not sent to ${endpoint}/v1/traces (traces`]);
  expect(stderr).toContain('ECONNREFUSED');
  expect(exitCode).toBe(0);
  expect(Date.now() - answered).toBeLessThan(3_000);
});

test('a backend that accepts and never answers: the same', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  await using app = startApp(['What is a trace?'], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } });
  await app.shows(/Trace: /);
  const answered = Date.now();
  const { stdout, stderr, exitCode } = await app.ended;
  silent.close();

  expect(repliesIn(stdout)).toHaveLength(1);
  expect(complaints(stderr)).toEqual([`Telemetry was not sent to ${endpoint}/v1/traces (traces`]);
  expect(exitCode).toBe(0);
  expect(Date.now() - answered).toBeLessThan(3_000);
});

test('many questions while Jaeger is down: one complaint', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${await getPort()}`, LLM_LATENCY_MS: '400' };
  const { stdout, stderr } = await runApp([], { input: 'one\n'.repeat(30), env });

  expect(repliesIn(stdout)).toHaveLength(30);
  expect(complaints(stderr)).toHaveLength(1);
  expect(stderr.trimEnd().split('\n').at(-1)).toBe('Lost: 30 spans.');
});

describe.skipIf(localLane)('with a Jaeger of its own (local lane: there is none)', () => {
  const lands = { timeout: 30_000, interval: 250 };

  test('Jaeger started later: what is asked then lands', async () => {
    await using compose = await composeProject();
    await using app = startApp([], { env: compose.env });
    await ask(app);
    await expect.poll(() => app.stderr, lands).toContain('Telemetry was not sent');

    await compose.up(step);
    await ask(app);
    await expect.poll(() => compose.hasTrace(latest(app)), lands).toBe(true);
    await expectLostOne(app);
  });

  test('Jaeger stopped in the middle: the app answers all the time, and what is asked afterwards lands', async () => {
    await using compose = await composeProject();
    await compose.up(step);
    await using app = startApp([], { env: compose.env });
    await ask(app);
    const before = latest(app);
    await expect.poll(() => compose.hasTrace(before), lands).toBe(true);

    await compose.stop('jaeger');
    await ask(app);
    await expect.poll(() => app.stderr, lands).toContain('Telemetry was not sent');

    await compose.up(step);
    expect(await compose.hasTrace(before), 'Jaeger keeps traces in memory').toBe(false);
    await ask(app);
    await expect.poll(() => compose.hasTrace(latest(app)), lands).toBe(true);
    await expectLostOne(app);
  });
});

/** Ends the app, and expects that of the span that was not sent it has complained once, and said at the end that it is lost. */
async function expectLostOne(app: App): Promise<void> {
  app.signal('SIGTERM');
  await app.ended;
  expect(complaints(app.stderr)).toHaveLength(1);
  expect(app.stderr.trimEnd().split('\n').at(-1)).toBe('Lost: 1 span.');
}

/** Asks one more question and waits until it is answered. */
async function ask(app: App): Promise<void> {
  const answered = traceIdsIn(app.stdout).length;
  app.type('What is a trace?\n');
  await expect.poll(() => traceIdsIn(app.stdout).length, { timeout: 10_000 }).toBe(answered + 1);
}

function latest(app: App): string {
  return String(traceIdsIn(app.stdout).at(-1));
}
