import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeProject } from '@workshop/backends/compose';
import { readerOf } from '@workshop/backends/reader';
import { backends, localLane, logsQl, promQl } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { type Services, startServices } from '@workshop/testkit/services';
import { describe, expect, test } from 'vitest';
import { attributes, hex, nanoseconds, sendOtlp } from './otlp.ts';
import { askSteadily } from './traffic.ts';

const step = process.cwd();
const lands = { timeout: 30_000, interval: 250 };
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';

describe.skipIf(localLane)('with backends of their own (local lane: there are none)', () => {
  test('what a person does: up in step 04, on to this step, and back', async () => {
    const before = join(step, '../04-propagation');
    await using compose = await composeProject();
    for (const [cwd, running] of [
      [before, ['jaeger', 'prometheus']],
      [step, ['collector', 'jaeger', 'prometheus', 'victorialogs']],
      [before, ['jaeger', 'prometheus']],
    ] as const) {
      await compose.up(cwd);
      expect(await compose.running()).toEqual(expect.arrayContaining([...running]));
      await using services = await startServices({ cwd, env: compose.env });
      const traceId = await ask(services);
      await expect.poll(() => compose.hasTrace(traceId), lands).toBe(true);
    }
  });

  test('the Collector started after the services: they answer, and what is asked then lands', async () => {
    await using compose = await composeProject();
    await using services = await startServices({ env: compose.env });
    await ask(services);
    await expect.poll(() => services.app.stderr, lands).toContain('Telemetry was not sent');

    await compose.up(step);
    const traceId = await ask(services);
    await expect.poll(() => compose.hasTrace(traceId), lands).toBe(true);
    await expect.poll(() => logsOf(traceId, compose.env), lands).toHaveLength(1);
  });

  test('the Collector away for 10 s under 50 requests a second: no span, log record or measurement is lost', async () => {
    await using compose = await composeProject();
    await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
    await compose.up(step);
    await using services = await startServices({ env: { ...compose.env, ...provider.env } });
    const asking = askSteadily(services, { requests: 1_000, perSecond: 50 });
    await sleep(4_000);
    const stopped = Date.now();
    await compose.stop('collector');
    await sleep(stopped + 9_500 - Date.now());
    await compose.start('collector');
    const away = ((Date.now() - stopped) / 1_000).toFixed(1);
    await asking;

    // What differs is counted: a batch that the Collector took without saying so is sent again. Jaeger is asked once for
    // all of them: it keeps a trace of each question to itself, and 1,000 would push out what we look for.
    const { findSpans } = readerOf({ ...backends, env: compose.env });
    const calls = 'sum(gen_ai_client_operation_duration_seconds_count)';
    const landed = async () => ({
      spans: new Set((await findSpans({ service: 'frontend' })).map(({ spanId }) => spanId)).size,
      records: (await logsQl('service.name:="backend" | uniq by (trace_id)', compose.env.VICTORIALOGS_PORT)).length,
      calls: (await promQl(calls, compose.env.PROMETHEUS_PORT))[0]?.value,
    });
    const message = `after the Collector was away for ${away} s`;
    await expect
      .poll(landed, { timeout: 60_000, interval: 1_000, message })
      .toEqual({ spans: 5_000, records: 1_000, calls: 1_000 });
    expect(services.app.stderr).not.toContain('Lost:');
  });

  test('Jaeger and VictoriaLogs stopped and started: what was asked meanwhile is there', async () => {
    await using compose = await composeProject();
    await compose.up(step);
    await using services = await startServices({ env: compose.env });
    const before = await ask(services);
    await expect.poll(() => compose.hasTrace(before), lands).toBe(true);
    await expect.poll(() => logsOf(before, compose.env), lands).toHaveLength(1);

    await compose.stop('jaeger');
    await compose.stop('victorialogs');
    const meanwhile = [await ask(services), await ask(services)];
    await expect
      .poll(() => queued(compose.env), lands)
      .toEqual({ 'otlp_http/jaeger': 10, 'otlp_http/victorialogs': 2 });
    await compose.up(step);

    for (const traceId of meanwhile) {
      await expect.poll(() => compose.hasTrace(traceId), lands).toBe(true);
      await expect.poll(() => logsOf(traceId, compose.env), lands).toHaveLength(1);
    }
    expect(await compose.hasTrace(before), 'Jaeger keeps traces in memory').toBe(false);
    expect(await logsOf(before, compose.env), 'VictoriaLogs keeps records on its volume').toHaveLength(1);
    expect(services.app.stderr).not.toContain('Telemetry was not sent');
  });

  test('VictoriaLogs stopped while records come all the time: each is there, once', async () => {
    await using compose = await composeProject();
    await compose.up(step);
    const sender = keepSending(compose.env);
    await expect.poll(() => sender.sent.length, lands).toBeGreaterThan(20);
    await compose.stop('victorialogs');
    const down = sender.sent.length;
    await expect.poll(() => sender.sent.length, lands).toBeGreaterThan(down + 20);
    await compose.up(step);
    const up = sender.sent.length;
    await expect.poll(() => sender.sent.length, lands).toBeGreaterThan(up + 20);
    const sent = await sender.end();

    await expect.poll(() => numbersOf(sender.service, compose.env), lands).toEqual(sent.map(({ number }) => number));
  });

  test('VictoriaLogs killed: what it had for 12 s is there; of the last seconds some may be gone', async () => {
    await using compose = await composeProject();
    await compose.up(step);
    const sender = keepSending(compose.env);
    await expect.poll(() => sender.sent.length, lands).toBeGreaterThan(80);
    const killed = Date.now();
    await compose.kill('victorialogs');
    await compose.up(step);
    const sent = await sender.end();

    const there = () => numbersOf(sender.service, compose.env);
    await expect.poll(there, lands).toContain(sent.at(-1)?.number);
    const found = await there();
    const missing = sent.filter(({ number }) => !found.includes(number));
    const oldest = missing.map(({ time }) => (killed - time) / 1_000).at(0) ?? 0;
    console.log(`Killed: ${missing.length} of ${sent.length} records are gone, the oldest ${oldest.toFixed(1)} s old.`);
    // It writes what is older than 5 s, and looks every 5 s.
    expect(oldest).toBeLessThan(12);
    expect(new Set(found).size, 'a record that is there twice').toBe(found.length);
  });

  test('the Collector killed while Jaeger is down: what it had accepted is on its disk, and lands', async () => {
    await using compose = await composeProject();
    await compose.up(step);
    await using services = await startServices({ env: compose.env });
    await compose.stop('jaeger');
    const accepted = [await ask(services), await ask(services)];
    await expect.poll(() => queued(compose.env), lands).toMatchObject({ 'otlp_http/jaeger': 10 });
    await compose.kill('collector');
    await ask(services);
    // Longer than a connection would take to come back by itself.
    await sleep(1_000);
    await compose.up(step);

    for (const traceId of accepted) await expect.poll(() => compose.hasTrace(traceId), lands).toBe(true);
  });

  test('a flood: all that is sent is taken, Jaeger keeps the latest traces and its memory', async () => {
    await using compose = await composeProject();
    await compose.up(step);
    const traceIds: string[] = [];
    for (let request = 0; request < 200; request += 1) {
      const traces = Array.from({ length: 100 }, () => hex(32));
      traceIds.push(...traces);
      await sendOtlp('traces', spansOf(traces), compose.env.OTEL_EXPORTER_OTLP_ENDPOINT);
    }
    const [first, last] = [String(traceIds[0]), String(traceIds.at(-1))];
    await expect.poll(() => compose.hasTrace(last), lands).toBe(true);
    expect(await compose.hasTrace(first), 'Jaeger keeps more traces than its memory holds').toBe(false);
    expect(await compose.running()).toEqual(
      expect.arrayContaining(['collector', 'jaeger', 'prometheus', 'victorialogs']),
    );
    await expect.poll(() => queued(compose.env), lands).toMatchObject({ 'otlp_http/jaeger': 0 });
  });
});

/** Sends a numbered log record four times a second, until `end` gives back which. */
function keepSending({ OTEL_EXPORTER_OTLP_ENDPOINT }: Record<string, string>) {
  const service = `sender-${hex(8)}`;
  const resource = { attributes: attributes({ 'service.name': service }) };
  const sent: { number: number; time: number }[] = [];
  const stop = new AbortController();
  const sending = (async () => {
    for (let number = 0; !stop.signal.aborted; number += 1) {
      const record = { timeUnixNano: nanoseconds(), body: { stringValue: String(number) } };
      const logs = { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] };
      await sendOtlp('logs', logs, OTEL_EXPORTER_OTLP_ENDPOINT);
      sent.push({ number, time: Date.now() });
      await sleep(250);
    }
  })();
  return {
    service,
    sent,
    async end() {
      stop.abort();
      await sending;
      return sent;
    },
  };
}

/** The numbers of a sender's records that VictoriaLogs has, in order. */
async function numbersOf(service: string, { VICTORIALOGS_PORT }: Record<string, string>): Promise<number[]> {
  const records = await logsQl(`service.name:="${service}"`, VICTORIALOGS_PORT);
  return records.map(({ body }) => Number(body)).sort((a, b) => a - b);
}

/** Five spans for each trace, as many as a question makes, with attributes as long. */
function spansOf(traceIds: string[]) {
  const times = { startTimeUnixNano: nanoseconds(), endTimeUnixNano: nanoseconds(1) };
  const values = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`attribute.${i}`, `of some length, ${i}`]));
  const span = { ...times, name: 'flood', kind: 1, attributes: attributes(values) };
  const spans = traceIds.flatMap((traceId) => Array.from({ length: 5 }, () => ({ ...span, traceId, spanId: hex(16) })));
  const resource = { attributes: attributes({ 'service.name': 'flood' }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'flood' }, spans }] }] };
}

/** Asks, and is answered at once, whatever is down. */
async function ask(services: Services): Promise<string> {
  const start = Date.now();
  const { status, body } = await services.ask('What is a trace?');
  expect(status).toBe(200);
  expect(Date.now() - start).toBeLessThan(3_000);
  return body.traceId;
}

/** What waits in the Collector's queues, by exporter. */
async function queued(env: { PROMETHEUS_PORT?: string }): Promise<Record<string, number>> {
  const series = await promQl('otelcol_exporter_queue_size', env.PROMETHEUS_PORT);
  return Object.fromEntries(series.map(({ labels, value }) => [labels.exporter, value]));
}

function logsOf(traceId: string, env: { VICTORIALOGS_PORT?: string }) {
  return logsQl(`trace_id:="${traceId}"`, env.VICTORIALOGS_PORT);
}
