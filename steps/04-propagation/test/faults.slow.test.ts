import { existsSync } from 'node:fs';
import { type ComposeProject, composeProject } from '@workshop/backends/compose';
import { freePortPair } from '@workshop/backends/ports';
import { metricsPage, seriesOn } from '@workshop/backends/prometheus';
import { start, stepDir, unknownHost } from '@workshop/testkit/app';
import { appEnv, findTrace, localLane, promQl } from '@workshop/testkit/backends';
import { startClock } from '@workshop/testkit/clock';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { expectLanded, receiverFaults, startReceiver } from '@workshop/testkit/receiver';
import { type Services, startServices } from '@workshop/testkit/services';
import { execa } from 'execa';
import { describe, expect, test, vi } from 'vitest';

const HOUR_MS = 3_600_000;
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const DURATIONS = 'gen_ai_client_operation_duration';
const TOKENS = 'gen_ai_client_token_usage';
const SPANS = 5;
const soon = { timeout: 30_000, interval: 100 };

// First: it takes the longest.
test
  .skipIf(localLane)
  .concurrent(
    'Jaeger and Prometheus stopped in the middle: 15 spans lost, and no measurement (local lane: there is none)',
    async () => {
      await using compose = await composeProject();
      await compose.up(stepDir);
      const model = `model-${crypto.randomUUID()}`;
      await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
      await using services = await startServices({ env: { ...compose.env, ...provider.env, LLM_MODEL: model } });
      const before = await ask(services, 2);
      for (const traceId of before) await lands(compose, traceId);
      await counted(compose, model, { durations: [2], tokens: [2, 2] });

      await compose.stop('jaeger');
      await compose.stop('prometheus');
      await ask(services, 3);
      await vi.waitFor(() => expect(services.app.stderr.match(/Telemetry was not sent/g)).toHaveLength(2), soon);
      await compose.up(stepDir);
      const after = await ask(services, 2);
      for (const traceId of after) await lands(compose, traceId);
      await counted(compose, model, { durations: [7], tokens: [7, 7] });
      services.app.signal('SIGTERM');
      await services.app.ended;

      expect(endOf(services)).toEqual(['backend  | Lost: 9 spans.', 'frontend | Lost: 6 spans.']);
    },
  );

describe.concurrent('the receiver', () => {
  test.for(receiverFaults)('$fault: 10 spans lost, every series is whole', async ({ start, reason, lost }) => {
    await using receiver = await start();
    const ports = await freePortPair();
    const env = { ...receiver.env, OTEL_EXPORTER_PROMETHEUS_PORT: String(ports) };
    await using services = await startServices({ env });
    await ask(services, 2);
    const complaints = () => services.app.stderr.split('\n').filter((line) => line.includes('Telemetry was not sent'));
    const both = ['backend', 'frontend'].map((name) =>
      expect.stringMatching(new RegExp(`^${name} +\\| .*${reason.source}`)),
    );
    await vi.waitFor(() => expect(complaints().sort()).toEqual(both), soon);
    expect(await counts(ports + 1)).toEqual({ durations: [2], tokens: [2, 2] });
    services.app.signal('SIGTERM');
    await services.app.ended;

    expect(complaints()).toHaveLength(2);
    expect(endOf(services)).toEqual([`backend  | ${lost}6 spans.`, `frontend | ${lost}4 spans.`]);
  });

  test.for([429, 503])('answers %i with Retry-After, then takes it: each span is there once', async (status) => {
    await using receiver = await startReceiver(
      (response, before) => before === 0 && response.writeHead(status, { 'retry-after': '1' }).end(),
    );
    await using services = await startServices({ env: receiver.env });
    const traceIds = await ask(services, 2);
    await vi.waitFor(() => expect(receiver.tries()).toEqual([2, 2]), soon);
    await expectLanded(traceIds, 2 * SPANS);
    services.app.signal('SIGTERM');
    await services.app.ended;

    expect(services.app.stderr).not.toMatch(/Telemetry|Lost/);
  });
});

test.concurrent('the backend has a name that is unknown: 502, and the 2 spans of the frontend land', async () => {
  await using services = await startServices({ env: { BACKEND_URL: `http://${unknownHost}:8081` } });
  const { status, body } = await services.ask('What is a trace?');

  expect(status).toBe(502);
  expect(body.error).toMatchObject({ type: 'unavailable' });
  const spans = await findTrace(body.traceId, 2);
  expect(spans.map(({ resource, status }) => [resource['service.name'], status.code])).toEqual([
    ['frontend', 'ERROR'],
    ['frontend', 'ERROR'],
  ]);
});

test.concurrent('the clock jumps forward in a question, and back in the next: all durations stay true', async () => {
  await using clock = await startClock();
  await using provider = await startProvider(async (_request, response) => {
    await (provider.requests.length === 1 ? clock.forward() : clock.back());
    send(response, 200, completion(REPLY));
  });
  const ports = await freePortPair();
  const env = { ...provider.env, ...clock.env, OTEL_EXPORTER_PROMETHEUS_PORT: String(ports) };
  const from = Date.now();
  await using services = await startServices({ env });
  const [first = '', second = ''] = await ask(services, 2);
  const took = Date.now() - from;

  const [sum] = seriesOn(await metricsPage(ports + 1), `${DURATIONS}_sum`);
  expect(Number(sum?.value) * 1000).toBeLessThan(took);
  for (const [traceId, ahead] of [
    [first, 0],
    [second, HOUR_MS],
  ] as const) {
    const spans = await findTrace(traceId, SPANS);
    expect(spans).toHaveLength(SPANS);
    for (const { startMs, durationMs } of spans) {
      expect(durationMs).toBeLessThan(took);
      expect(startMs - from - ahead).toBeGreaterThanOrEqual(0);
      expect(startMs - from - ahead).toBeLessThan(took);
    }
  }
});

describe.skipIf(process.platform === 'win32').concurrent('with 10 spans in the queues (Windows has no signals)', () => {
  test.for([
    ['SIGINT', 10],
    ['SIGTERM', 10],
    ['SIGKILL', 0],
  ] as const)('%s: %i of them land', async ([signal, landing]) => {
    await using receiver = await startReceiver();
    await using services = await startServices({ env: receiver.env });
    const traceIds = await ask(services, 2);
    services.app.signal(signal);
    await services.app.ended;
    // None, if the batch of every 5 s was not under way.
    if (landing === 0) expect(receiver.tries()).toEqual([]);

    await expectLanded(traceIds, landing);
    expect(services.app.stderr).not.toMatch(/Telemetry|Lost/);
  });

  test('SIGKILL to the backend alone: the 4 spans of the frontend land, and the end says who it was', async () => {
    await using services = await startServices();
    const traceIds = await ask(services, 2);
    process.kill(await pidOfBackend(services), 'SIGKILL');
    await services.app.ended;

    await expectLanded(traceIds, 4);
    const spans = (await Promise.all(traceIds.map((traceId) => findTrace(traceId, 2)))).flat();
    expect(new Set(spans.map(({ resource }) => resource['service.name']))).toEqual(new Set(['frontend']));
    expect(services.app.stderr).toContain('The service backend has ended (SIGKILL). Now the other one is ended too.');
  });
});

test.skipIf(!existsSync('/dev/full')).concurrent('the disk is full: both services end, and that is said', async () => {
  const env = {
    ...appEnv,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()),
    FRONTEND_PORT: '0',
    BACKEND_PORT: '0',
  };
  await using app = start('sh', ['-c', 'npm start --silent > /dev/full'], { env });
  const { stderr, exitCode } = await app.ended;

  expect(stderr).toContain('The output could not be written (ENOSPC).');
  expect(exitCode).toBe(1);
});

/** Asks so many questions one after the other, and gives back their traces. */
async function ask(services: Services, questions: number): Promise<string[]> {
  const traceIds: string[] = [];
  for (let i = 0; i < questions; i += 1) {
    const { status, body } = await services.ask('What is a trace?');
    expect(status).toBe(200);
    traceIds.push(body.traceId);
  }
  return traceIds;
}

/** Its environment has the port, which no other backend has. */
async function pidOfBackend({ backendUrl }: Services): Promise<number> {
  const { stdout } = await execa('ps', ['axeww', '-o', 'pid=,args=']);
  const isIt = (line: string) =>
    line.includes('src/backend.ts') && line.includes(`BACKEND_PORT=${new URL(backendUrl).port}`);
  return Number.parseInt(String(stdout.split('\n').find(isIt)), 10);
}

/** What the services said of their end, and what they lost. */
function endOf({ app }: Services): string[] {
  const lines = app.stderr.split('\n').filter((line) => /\| (Lost: |Telemetry was not flushed)/.test(line));
  return lines.sort();
}

/** How many calls each series of what a service serves has counted. */
async function counts(port: number) {
  const page = await metricsPage(port);
  const values = (metric: string) => seriesOn(page, `${metric}_count`).map(({ value }) => value);
  return { durations: values(DURATIONS), tokens: values(TOKENS) };
}

/** Waits until a trace is in Jaeger. */
async function lands(compose: ComposeProject, traceId: string): Promise<void> {
  await vi.waitFor(async () => expect(await compose.hasTrace(traceId)).toBe(true), soon);
}

/** Waits until Prometheus has these counts of a model. */
async function counted({ env }: ComposeProject, model: string, expected: Awaited<ReturnType<typeof counts>>) {
  const values = async (metric: string) => {
    const series = await promQl(`${metric}_count{gen_ai_request_model="${model}"}`, env.PROMETHEUS_PORT);
    return series.map(({ value }) => value);
  };
  const found = async () => ({ durations: await values(DURATIONS), tokens: await values(TOKENS) });
  await vi.waitFor(async () => expect(await found()).toEqual(expected), soon);
}
