import { findLogs, findSeries, findSpans, findTrace, localLane } from '@workshop/testkit/backends';
import { startClock } from '@workshop/testkit/clock';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { expectLanded, receiverFaults, startReceiver } from '@workshop/testkit/receiver';
import { type Services, startServices } from '@workshop/testkit/services';
import { describe, expect, test, vi } from 'vitest';
import { hex, sendOtlp, tracesOf } from './otlp.ts';

const HOUR_MS = 3_600_000;
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const soon = { timeout: 30_000, interval: 250 };

describe.concurrent('the receiver', () => {
  test.for(receiverFaults)('$fault: all is lost, and each service says how much', async ({ start, reason, lost }) => {
    await using receiver = await start();
    await using services = await startServices({ env: receiver.env });
    await ask(services, 3);
    // A line for each service and signal: the frontend has no log records.
    const complaints = () => linesOf(services, / \| Telemetry was not sent to /);
    await vi.waitFor(() => expect(complaints()).toHaveLength(5), soon);
    services.app.signal('SIGTERM');
    await services.app.ended;

    for (const line of complaints()) expect(line).toMatch(reason);
    const [backend, frontend] = linesOf(services, / \| Lost: /);
    expect(backend).toMatch(new RegExp(`\\| ${lost}9 spans, .*data points, (up to )?3 log records\\.$`));
    expect(frontend).toMatch(new RegExp(`\\| ${lost}6 spans, .*data points\\.$`));
  });

  test.for([429, 503])(
    'answers %i with Retry-After, then takes it: each span and record is there once',
    async (status) => {
      await using receiver = await startReceiver(
        (response, before) =>
          // The last measurements would not get their second try before the end.
          response.req.url !== '/v1/metrics' &&
          before === 0 &&
          response.writeHead(status, { 'retry-after': '1' }).end(),
      );
      await using services = await startServices({ env: receiver.env });
      const traceIds = await ask(services, 3);
      await allLanded(traceIds);
      services.app.signal('SIGTERM');
      await services.app.ended;

      expect(services.app.stderr).not.toMatch(/Telemetry|Lost/);
    },
  );
});

describe
  .skipIf(process.platform === 'win32')
  .concurrent('with 3 questions in the queues (Windows has no signals)', () => {
    test.for(['SIGINT', 'SIGTERM'] as const)('%s: all of them land', async (signal) => {
      await using services = await startServices();
      const traceIds = await ask(services, 3);
      services.app.signal(signal);
      await services.app.ended;

      await allLanded(traceIds);
      expect(services.app.stderr).not.toMatch(/Telemetry|Lost/);
    });

    test('SIGKILL: none of their 15 spans lands', async () => {
      await using services = await startServices();
      const traceIds = await ask(services, 3);
      services.app.signal('SIGKILL');
      await services.app.ended;

      // What is sent after them lands.
      const later = { traceId: hex(32), spanId: hex(16) };
      await sendOtlp('traces', tracesOf('later', [later]));
      await vi.waitFor(async () => expect(await findSpans(later)).toHaveLength(1), soon);
      for (const traceId of traceIds) expect(await findSpans({ traceId })).toEqual([]);
      expect(services.app.stderr).not.toMatch(/Telemetry|Lost/);
    });
  });

test.concurrent('the clock jumps forward in a question, and back in the next: all three signals are whole and true', async () => {
  const model = `model-${crypto.randomUUID()}`;
  await using clock = await startClock();
  await using provider = await startProvider(async (_request, response) => {
    await (provider.requests.length === 1 ? clock.forward() : clock.back());
    send(response, 200, completion(REPLY));
  });
  const from = Date.now();
  await using services = await startServices({ env: { ...provider.env, ...clock.env, LLM_MODEL: model } });
  const traceIds = await ask(services, 2);
  const took = Date.now() - from;

  const spans = (await Promise.all(traceIds.map((traceId) => findTrace(traceId, 5)))).flat();
  for (const { durationMs, name } of spans) expect(durationMs, name).toBeLessThan(took);
  expect(Math.max(...spans.map(({ startMs }) => startMs)) - from).toBeGreaterThanOrEqual(HOUR_MS);
  await allLanded(traceIds);
  if (localLane) return; // the Collector's metrics are in Prometheus only
  const durations = async (part: string) =>
    (await findSeries(`gen_ai_client_operation_duration_seconds_${part}`, { gen_ai_request_model: model }))[0]?.value;
  await vi.waitFor(async () => expect(await durations('count')).toBe(2), soon);
  expect(Number(await durations('sum')) * 1000).toBeLessThan(took);
});

/** Asks questions in turn, all of which must be answered. */
async function ask(services: Services, questions: number): Promise<string[]> {
  const traceIds: string[] = [];
  for (let question = 0; question < questions; question += 1) {
    const { status, body } = await services.ask('What is a trace?');
    expect(status).toBe(200);
    traceIds.push(body.traceId);
  }
  return traceIds;
}

/** The lines on stderr that match, in the order of the alphabet. */
function linesOf({ app }: Services, pattern: RegExp): string[] {
  return app.stderr
    .split('\n')
    .filter((line) => pattern.test(line))
    .sort();
}

/** Waits until the traces are there, whole and each span once, with a log record each. */
async function allLanded(traceIds: string[]): Promise<void> {
  await expectLanded(traceIds, 5 * traceIds.length);
  const records = async () =>
    (await Promise.all(traceIds.map((traceId) => findLogs(traceId)))).map(({ length }) => length);
  await vi.waitFor(async () => expect(await records()).toEqual(traceIds.map(() => 1)), soon);
}
