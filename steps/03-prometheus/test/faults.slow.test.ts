import { existsSync } from 'node:fs';
import { type ComposeProject, composeProject } from '@workshop/backends/compose';
import { freePort } from '@workshop/backends/ports';
import { metricsPage, seriesOn } from '@workshop/backends/prometheus';
import { type App, start, startApp, stepDir } from '@workshop/testkit/app';
import { appEnv, findSpans, findTrace, localLane, promQl } from '@workshop/testkit/backends';
import { startClock } from '@workshop/testkit/clock';
import { traceIdsIn } from '@workshop/testkit/console';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { expectLanded, receiverFaults, startReceiver } from '@workshop/testkit/receiver';
import { describe, expect, test, vi } from 'vitest';

const HOUR_MS = 3_600_000;
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const DURATIONS = 'gen_ai_client_operation_duration';
const TOKENS = 'gen_ai_client_token_usage';
const soon = { timeout: 30_000, interval: 100 };

// First: it takes the longest.
test
  .skipIf(localLane)
  .concurrent(
    'Jaeger and Prometheus away in the middle, Prometheus at the end: 3 spans and 2 measurements lost (local lane: there is none)',
    async () => {
      await using compose = await composeProject();
      await compose.up(stepDir);
      const model = `model-${crypto.randomUUID()}`;
      await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
      await using app = startApp([], { env: { ...compose.env, ...provider.env, LLM_MODEL: model } });
      await ask(app, 2);
      for (const id of traceIdsIn(app.stdout)) await lands(compose, id);
      await counted(compose, model, { durations: [2], tokens: [2, 2] });

      await compose.stop('jaeger');
      await compose.stop('prometheus');
      await ask(app, 3);
      await vi.waitFor(() => expect(app.stderr).toContain('Telemetry was not sent'), soon);
      await compose.up(stepDir);
      await ask(app, 2);
      await counted(compose, model, { durations: [7], tokens: [7, 7] });

      await compose.stop('prometheus');
      await ask(app, 2);
      app.signal('SIGTERM');
      await app.ended;
      for (const id of traceIdsIn(app.stdout).slice(-4)) await lands(compose, id);
      await compose.up(stepDir);
      await counted(compose, model, { durations: [7], tokens: [7, 7] });
      expect(app.stderr.match(/^(Telemetry|Lost).*/gm)).toEqual([
        expect.stringContaining('Telemetry was not sent'),
        'Lost: 3 spans.',
      ]);
    },
  );

describe.concurrent('the receiver', () => {
  test.for(receiverFaults)('$fault: 3 spans lost, every series is whole', async ({ start, reason, lost }) => {
    await using receiver = await start();
    await using app = await startOnItsPort(receiver.env);
    await ask(app, 3);
    await vi.waitFor(() => expect(app.stderr).toMatch(reason), soon);
    expect(await counts(app.port)).toEqual({ durations: [3], tokens: [3, 3] });
    app.signal('SIGTERM');
    await app.ended;

    expect(app.stderr.match(/^Telemetry was not sent/gm)).toHaveLength(1);
    expect(app.stderr.trimEnd().split('\n').at(-1)).toBe(`${lost}3 spans.`);
  });

  test.for([429, 503])('answers %i with Retry-After, then takes it: each span is there once', async (status) => {
    await using receiver = await startReceiver(
      (response, before) => before === 0 && response.writeHead(status, { 'retry-after': '1' }).end(),
    );
    await using app = await startOnItsPort(receiver.env);
    await ask(app, 3);
    await vi.waitFor(() => expect(receiver.tries()).toEqual([2]), soon);
    await expectLanded(traceIdsIn(app.stdout), 3);
    app.signal('SIGTERM');
    await app.ended;

    expect(app.stderr).not.toMatch(/Telemetry|Lost/);
  });
});

test.concurrent('the clock jumps forward in a call, and back in the next: the durations stay true', async () => {
  await using clock = await startClock();
  await using provider = await startProvider(async (_request, response) => {
    await (provider.requests.length === 1 ? clock.forward() : clock.back());
    send(response, 200, completion(REPLY));
  });
  const from = Date.now();
  await using app = await startOnItsPort({ ...provider.env, ...clock.env });
  await ask(app, 2);
  const took = Date.now() - from;

  const page = await metricsPage(app.port);
  expect(seriesOn(page, `${DURATIONS}_count`)).toMatchObject([{ value: 2 }]);
  const [sum] = seriesOn(page, `${DURATIONS}_sum`);
  expect(Number(sum?.value) * 1000).toBeLessThan(took);
  const spans = (await Promise.all(traceIdsIn(app.stdout).map((id) => findTrace(id)))).flat();
  expect(spans).toHaveLength(2);
  for (const { durationMs } of spans) expect(durationMs).toBeLessThan(took);
  expect(Number(spans[1]?.startMs) - from, 'it began while the clock was ahead').toBeGreaterThanOrEqual(HOUR_MS);
});

describe.skipIf(process.platform === 'win32').concurrent('with 5 spans in the queue (Windows has no signals)', () => {
  test.for([
    ['SIGINT', 5],
    ['SIGTERM', 5],
    ['SIGKILL', 0],
  ] as const)('%s: %i of them land', async ([signal, landing]) => {
    await using receiver = await startReceiver();
    await using app = await startOnItsPort(receiver.env);
    await ask(app, 5);
    app.signal(signal);
    await app.ended;
    // None, if the batch of every 5 s was not under way.
    if (landing === 0) expect(receiver.tries()).toEqual([]);

    await expectLanded(traceIdsIn(app.stdout), landing);
    expect(app.stderr).not.toMatch(/Telemetry|Lost/);
  });
});

test.skipIf(!existsSync('/dev/full')).concurrent('the disk is full: the span lands, and the end says why', async () => {
  const service = `full-${crypto.randomUUID()}`;
  const env = { OTEL_SERVICE_NAME: service, OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePort()) };
  const command = 'npm start --silent -- "What is a trace?" > /dev/full';
  await using app = start('sh', ['-c', command], { env: { ...appEnv, ...env } });
  const { stderr, exitCode } = await app.ended;

  expect(stderr).toContain('The output could not be written (ENOSPC).');
  expect(exitCode).toBe(1);
  await vi.waitFor(async () => expect(await findSpans({ service })).toHaveLength(1), soon);
});

/** Starts the app with a port for its metrics that no Prometheus reads. */
async function startOnItsPort(env: Record<string, string>) {
  const port = await freePort();
  const app = startApp([], { env: { ...appEnv, OTEL_EXPORTER_PROMETHEUS_PORT: String(port), ...env } });
  return Object.assign(app, { port });
}

/** How many calls each series of what an app serves has counted. */
async function counts(port: number) {
  const page = await metricsPage(port);
  const values = (metric: string) => seriesOn(page, `${metric}_count`).map(({ value }) => value);
  return { durations: values(DURATIONS), tokens: values(TOKENS) };
}

/** Waits until a trace is in Jaeger. */
async function lands(compose: ComposeProject, traceId: string): Promise<void> {
  await vi.waitFor(async () => expect(await compose.hasTrace(traceId)).toBe(true), soon);
}

/** Waits until Prometheus has these counts of a model, be it of a program that has ended. */
async function counted({ env }: ComposeProject, model: string, expected: Awaited<ReturnType<typeof counts>>) {
  const values = async (metric: string) => {
    const query = `last_over_time(${metric}_count{gen_ai_request_model="${model}"}[10m])`;
    return (await promQl(query, env.PROMETHEUS_PORT)).map(({ value }) => value);
  };
  const found = async () => ({ durations: await values(DURATIONS), tokens: await values(TOKENS) });
  await vi.waitFor(async () => expect(await found()).toEqual(expected), soon);
}

/** Asks further questions, and waits until all are answered. */
async function ask(app: App, questions: number): Promise<void> {
  const all = traceIdsIn(app.stdout).length + questions;
  app.type('What is a metric?\n'.repeat(questions));
  await vi.waitFor(() => expect(traceIdsIn(app.stdout)).toHaveLength(all), soon);
}
