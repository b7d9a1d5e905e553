import { join } from 'node:path';
import { type ComposeProject, composeProject } from '@workshop/backends/compose';
import { readerOf } from '@workshop/backends/reader';
import { backends, localLane, promQl } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { copyStep, edit } from '@workshop/testkit/readme';
import { startServices } from '@workshop/testkit/services';
import { execa } from 'execa';
import { describe, expect, test, vi } from 'vitest';
import { firing, lostIn, numberOf, queued, recordsIn, spanIdOf, spansIn } from './counts.ts';
import { hex, postOtlp, sendOtlp, tracesOf } from './otlp.ts';
import { askSteadily } from './traffic.ts';

const step = process.cwd();
const lands = { timeout: 60_000, interval: 500 };
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
/** About as many attributes as a span of the services has, and as long. */
const values = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`attribute.${i}`, `of some length, ${i}`]));

describe.skipIf(localLane).concurrent('more than it can take (local lane: there is no Collector)', () => {
  test('100,000 spans, each with a name of its own: all are taken, and nobody runs out of memory', async ({
    expect,
  }) => {
    await using compose = await composeProject();
    await compose.up(step);
    const traceIds: string[] = [];
    for (let request = 0; request < 200; request += 1) {
      const traces = Array.from({ length: 100 }, () => hex(32));
      traceIds.push(...traces);
      const spans = traces.flatMap((traceId) =>
        Array.from({ length: 5 }, () => hex(16)).map((spanId) => ({ traceId, spanId, name: `flood ${spanId}` })),
      );
      await sendOtlp('traces', tracesOf('flood', spans, values), compose.env.OTEL_EXPORTER_OTLP_ENDPOINT);
    }
    const [first, last] = [String(traceIds[0]), String(traceIds.at(-1))];
    await expect.poll(() => compose.hasTrace(last), lands).toBe(true);
    expect(await compose.hasTrace(first), 'Jaeger keeps more traces than its memory holds').toBe(false);
    expect(await compose.running()).toEqual(
      expect.arrayContaining(['collector', 'jaeger', 'prometheus', 'victorialogs']),
    );
    await expect.poll(() => queued(compose.env), lands).toMatchObject({ 'otlp_http/jaeger': 0 });
    // Those beyond the limit of series are counted in one.
    const counted = 'sum(traces_span_metrics_calls_total{job="flood"})';
    await expect.poll(() => numberOf(counted, compose.env), lands).toBe(100_000);
  });

  test('the disk of the queues is full: it says 503, an alert fires, and what it accepted lands', async ({
    expect,
  }) => {
    await using small = await copyStep(step);
    const disk = '  queue:\n    driver_opts: { type: tmpfs, device: tmpfs, o: size=4m }\n';
    await edit(join(small.dir, 'compose.yaml'), '  queue:\n', disk);
    await using compose = await composeProject();
    await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
    await compose.up(small.dir);
    await compose.stop('jaeger');
    const sent = await flood(compose, 100, ({ refusals }) => refusals.length === 20);
    for (const refusal of sent.refusals) expect(refusal).toMatch(/^503 .*no space left on device/);
    await using services = await startServices({ env: { ...compose.env, ...provider.env } });
    await askSteadily(services, { requests: 400, perSecond: 40 });
    const complaint = /traces: HTTP 503\)\. Read the receiver's log\./;
    await expect.poll(() => services.app.stderr, lands).toMatch(complaint);
    const refused = 'sum(otelcol_exporter_enqueue_failed_spans_total)';
    await expect.poll(() => numberOf(refused, compose.env), lands).toBeGreaterThanOrEqual(100 * sent.refusals.length);
    const alerts = ['CollectorExportFailing otlp_http/jaeger', 'CollectorQueueFilling otlp_http/jaeger'];
    await expect.poll(() => firing(compose.env.PROMETHEUS_PORT), lands).toEqual(expect.arrayContaining(alerts));
    services.app.signal('SIGINT');
    const { stderr } = await services.app.ended;
    await compose.start('jaeger');

    await expect.poll(() => landedOf(compose, sent.traceId), lands).toEqual(sent.accepted);
    await expectTold(compose, stderr, 400);
    console.log(
      `Disk full: ${sent.accepted.length} spans of the flood landed, ${100 * sent.refusals.length} were refused.`,
    );
    // It has room again.
    const later = await flood(
      compose,
      100,
      ({ accepted, refusals }) => accepted.length === 1_000 || refusals.length > 0,
    );
    expect(later.refusals).toEqual([]);
    await expect.poll(() => landedOf(compose, later.traceId), lands).toEqual(later.accepted);
  });

  test('a flood that memory_limiter refuses: 503, an alert fires, and what it accepted lands', async ({ expect }) => {
    await using small = await copyStep(step);
    const config = join(small.dir, 'collector.yaml');
    await edit(config, 'check_interval: 1s', 'check_interval: 100ms');
    await edit(config, '\n    limit_mib: 300', '\n    limit_mib: 30');
    await edit(config, 'spike_limit_mib: 60', 'spike_limit_mib: 6');
    await using compose = await composeProject({ COLLECTOR_CONFIG: config });
    await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
    await compose.up(step);
    await using services = await startServices({ env: { ...compose.env, ...provider.env } });
    await services.ask('What is a trace?');
    // The alert compares with what was refused 30 s before.
    const before = 'otelcol_receiver_refused_spans_total offset 30s';
    await expect.poll(() => promQl(before, compose.env.PROMETHEUS_PORT), lands).toHaveLength(1);
    const asking = askSteadily(services, { requests: 99, perSecond: 20 });
    const floods = await Promise.all(
      // The busier the machine, the more is accepted, and Jaeger has to hold it.
      Array.from({ length: 8 }, () =>
        flood(compose, 1_000, ({ accepted, refusals }) => accepted.length === 4_000 || refusals.length === 5),
      ),
    );
    await asking;
    const refusals = floods.flatMap(({ refusals }) => refusals);
    expect(refusals).not.toEqual([]);
    for (const refusal of refusals) expect(refusal).toMatch(/^503 .*data refused due to high memory usage/);
    for (const counter of [
      'otelcol_processor_memory_limiter_refused_spans_total',
      'otelcol_receiver_refused_spans_total',
    ])
      await expect
        .poll(() => numberOf(`sum(${counter})`, compose.env), lands)
        .toBeGreaterThanOrEqual(1_000 * refusals.length);
    await expect
      .poll(() => firing(compose.env.PROMETHEUS_PORT), lands)
      .toEqual(expect.arrayContaining(['CollectorRefusing otlp']));
    services.app.signal('SIGINT');
    const { stderr } = await services.app.ended;

    expect(await compose.running()).toContain('collector');
    for (const { traceId, accepted } of floods)
      await expect.poll(() => landedOf(compose, traceId), lands).toEqual(accepted);
    await expectTold(compose, stderr, 100);
    const landed = floods.reduce((sum, { accepted }) => sum + accepted.length, 0);
    console.log(`Flood: ${landed} spans landed, ${1_000 * refusals.length} were refused.`);
  });

  test('traces of 10,000 spans: Jaeger runs out of memory, and what is asked until it runs again lands', async ({
    expect,
  }) => {
    await using compose = await composeProject();
    await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
    await compose.up(step);
    let traces = 0;
    while (traces < 50 && (await compose.running()).includes('jaeger')) {
      await flood(compose, 1_000, ({ accepted, refusals }) => accepted.length === 10_000 || refusals.length > 0);
      traces += 1;
    }
    expect(await compose.running()).toEqual(['collector', 'prometheus', 'victorialogs']);
    const container = `${compose.project}-jaeger-1`;
    const { stdout } = await execa('docker', ['inspect', '--format', '{{.State.OOMKilled}}', container]);
    expect(stdout, 'whether it ran out of memory').toBe('true');
    console.log(`Jaeger ended at trace ${traces}.`);
    await using services = await startServices({ env: { ...compose.env, ...provider.env } });
    await services.ask('What is a trace?');
    const alert = 'CollectorQueueFilling otlp_http/jaeger';
    await expect.poll(() => firing(compose.env.PROMETHEUS_PORT), lands).toContain(alert);
    await compose.start('jaeger');
    await expect.poll(async () => (await spansIn(compose)).size, lands).toBe(5);
    await expect.poll(() => queued(compose.env), lands).toMatchObject({ 'otlp_http/jaeger': 0 });
  });
});

type Flood = { traceId: string; accepted: string[]; refusals: string[] };

/** Sends requests with `size` numbered spans of one trace, one after the other, until it was `enough`. */
async function flood({ env }: ComposeProject, size: number, enough: (flood: Flood) => boolean): Promise<Flood> {
  const sent: Flood = { traceId: hex(32), accepted: [], refusals: [] };
  for (let first = 1; !enough(sent); first += size) {
    const ids = Array.from({ length: size }, (_, i) => spanIdOf(first + i));
    const spans = ids.map((spanId) => ({ traceId: sent.traceId, spanId }));
    const body = tracesOf('flood', spans, { text: 'x'.repeat(1_000) });
    const { status, text } = await postOtlp('traces', body, env.OTEL_EXPORTER_OTLP_ENDPOINT);
    if (status === 200) sent.accepted.push(...ids);
    else sent.refusals.push(`${status} ${text}`);
  }
  return sent;
}

/** The ids of the spans of a trace that Jaeger has, in order. */
async function landedOf({ env, running }: ComposeProject, traceId: string): Promise<string[]> {
  expect(await running(), 'Jaeger has ended: out of memory?').toContain('jaeger');
  const { findSpans } = readerOf({ ...backends, env });
  return (await findSpans({ traceId })).map(({ spanId }) => spanId).sort();
}

/** Expects that all the services' spans and log records are there but those that they say they have lost. */
async function expectTold(compose: ComposeProject, stderr: string, questions: number): Promise<void> {
  const told = { spans: lostIn(stderr, 'span'), records: lostIn(stderr, 'log record') };
  const missing = async () => ({
    spans: 5 * questions - (await spansIn(compose)).size,
    records: questions - (await recordsIn(compose)).traces,
  });
  for (const item of ['spans', 'records'] as const)
    await vi.waitFor(async () => expect((await missing())[item]).toBeLessThanOrEqual(told[item]), lands);
  console.log('Of the services lost', await missing(), 'told', told);
}
