import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeProject } from '@workshop/backends/compose';
import { readerOf } from '@workshop/backends/reader';
import { backends, localLane, logsQl } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { type Services, startServices } from '@workshop/testkit/services';
import { describe, expect, test } from 'vitest';
import { firing, lostIn, numberOf, queued, recordsIn, spanIdOf, spansIn } from './counts.ts';
import { attributes, hex, nanoseconds, sendOtlp, tracesOf } from './otlp.ts';
import { askSteadily, keepSending } from './traffic.ts';

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

    // What differs is counted: a batch that the Collector took without saying so is sent again.
    const landed = async () => ({
      spans: (await spansIn(compose)).size,
      records: (await recordsIn(compose)).traces,
      calls: await numberOf('sum(gen_ai_client_operation_duration_seconds_count)', compose.env),
    });
    const message = `after the Collector was away for ${away} s`;
    await expect
      .poll(landed, { timeout: 60_000, interval: 1_000, message })
      .toEqual({ spans: 5_000, records: 1_000, calls: 1_000 });
    expect(services.app.stderr).not.toContain('Lost:');
  });

  describe.concurrent('under load', () => {
    test('Jaeger and VictoriaLogs stopped for 20 s: nothing that was asked meanwhile is lost', async ({ expect }) => {
      await using compose = await composeProject();
      await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
      await compose.up(step);
      await using services = await startServices({ env: { ...compose.env, ...provider.env } });
      const before = await ask(services);
      await expect.poll(() => compose.hasTrace(before), lands).toBe(true);
      const asking = askSteadily(services, { requests: 960, perSecond: 40 });
      await Promise.all([compose.stop('jaeger'), compose.stop('victorialogs')]);
      const stopped = Date.now();
      await sleep(20_000);
      const alerts = ['CollectorQueueFilling otlp_http/jaeger', 'CollectorQueueFilling otlp_http/victorialogs'];
      await expect.poll(() => firing(compose.env.PROMETHEUS_PORT), lands).toEqual(expect.arrayContaining(alerts));
      const forgotten = await numberOf('sum(otelcol_exporter_sent_spans_total)', compose.env);
      const started = Date.now();
      await compose.up(step);
      const meanwhile = (await asking).filter(({ time }) => time > stopped && time < started);

      const landed = async () => {
        const spans = await spansIn(compose);
        const inTrace = Map.groupBy(spans.values(), (traceId) => traceId);
        return {
          spans: spans.size,
          whole: meanwhile.filter(({ traceId }) => inTrace.get(traceId)?.length === 5).length,
          records: await recordsIn(compose),
          calls: await numberOf('sum(gen_ai_client_operation_duration_seconds_count)', compose.env),
        };
      };
      // Jaeger forgets what it had when it stopped.
      await expect.poll(landed, { timeout: 60_000, interval: 1_000 }).toEqual({
        spans: 5 * 961 - Number(forgotten),
        whole: meanwhile.length,
        records: { all: 961, traces: 961 },
        calls: 961,
      });
      expect(await compose.hasTrace(before), 'Jaeger keeps traces in memory').toBe(false);
      expect(services.app.stderr).not.toMatch(/Telemetry was not sent|Lost:/);
    });

    test('the Collector killed while Jaeger is down: what it accepted lands, the services say what it did not', async ({
      expect,
    }) => {
      await using compose = await composeProject();
      await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
      await compose.up(step);
      await using services = await startServices({ env: { ...compose.env, ...provider.env } });
      await compose.stop('jaeger');
      const [service, traceId] = [`sender-${hex(8)}`, hex(32)];
      await using sender = keepSending(40, (number) =>
        sendOtlp(
          'traces',
          tracesOf(service, [{ traceId, spanId: spanIdOf(number) }]),
          compose.env.OTEL_EXPORTER_OTLP_ENDPOINT,
        ),
      );
      const asking = askSteadily(services, { requests: 480, perSecond: 40 });
      await expect
        .poll(() => queued(compose.env), lands)
        .toMatchObject({ 'otlp_http/jaeger': expect.toSatisfy((size) => size > 1_000) });
      await compose.kill('collector');
      await asking;
      services.app.signal('SIGINT');
      const { stderr } = await services.app.ended;
      await sender.end();
      await compose.up(step);

      const accepted = sender.accepted.map(({ number }) => spanIdOf(number));
      const { findSpans } = readerOf({ ...backends, env: compose.env });
      const sent = async () => (await findSpans({ traceId })).map(({ spanId }) => spanId);
      await expect.poll(sent, lands).toEqual(expect.arrayContaining(accepted));
      // The last thing that the Collector had taken without saying so counts as lost, and lands.
      const told = { spans: lostIn(stderr, 'span'), records: lostIn(stderr, 'log record') };
      const missing = async () => ({
        spans: 5 * 480 - (await spansIn(compose)).size,
        records: 480 - (await recordsIn(compose)).traces,
      });
      for (const item of ['spans', 'records'] as const)
        await expect.poll(async () => (await missing())[item], lands).toBeLessThanOrEqual(told[item]);
      console.log(`Collector killed: ${accepted.length} spans accepted; lost`, await missing(), 'told', told);
    });

    test('VictoriaLogs killed: what it had for 12 s is there; of the last seconds some may be gone', async ({
      expect,
    }) => {
      await using compose = await composeProject();
      await compose.up(step);
      const service = `sender-${hex(8)}`;
      const resource = { attributes: attributes({ 'service.name': service }) };
      await using sender = keepSending(30, (number) => {
        const record = { timeUnixNano: nanoseconds(), body: { stringValue: String(number) } };
        const logs = { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] };
        return sendOtlp('logs', logs, compose.env.OTEL_EXPORTER_OTLP_ENDPOINT);
      });
      await expect.poll(() => sender.accepted.length, lands).toBeGreaterThan(600);
      const killed = Date.now();
      await compose.kill('victorialogs');
      await compose.up(step);
      await sender.end();

      const there = async () =>
        (await logsQl(`service.name:="${service}"`, compose.env.VICTORIALOGS_PORT)).map(({ body }) => Number(body));
      await expect.poll(there, lands).toContain(sender.accepted.at(-1)?.number);
      const found = await there();
      const missing = sender.accepted.filter(({ number }) => !found.includes(number));
      const oldest = missing.map(({ time }) => (killed - time) / 1_000).at(0) ?? 0;
      console.log(
        `VictoriaLogs killed: ${missing.length} of ${sender.accepted.length} records lost, the oldest ${oldest} s old.`,
      );
      // It writes what is older than 5 s, and looks every 5 s.
      expect(oldest).toBeLessThan(12);
      expect(new Set(found).size, 'a record that is there twice').toBe(found.length);
    });
  });
});

/** Asks, and is answered at once, whatever is down. */
async function ask(services: Services): Promise<string> {
  const start = Date.now();
  const { status, body } = await services.ask('What is a trace?');
  expect(status).toBe(200);
  expect(Date.now() - start).toBeLessThan(3_000);
  return body.traceId;
}

function logsOf(traceId: string, env: { VICTORIALOGS_PORT?: string }) {
  return logsQl(`trace_id:="${traceId}"`, env.VICTORIALOGS_PORT);
}
