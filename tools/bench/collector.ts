import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ComposeProject, composeProject } from '@workshop/backends/compose';
import { chooseLane } from '@workshop/backends/lane';
import { promQl } from '@workshop/backends/prometheus';
import { parse, stringify } from 'yaml';
import { median, printTable, progress, verdict } from './report.ts';

const STEP = join(import.meta.dirname, '../../steps/05-collector-grafana');
const ROUNDS = 3;
const CONNECTIONS = 4;
const SPANS_PER_REQUEST = 512;
const REQUESTS = 1_000;
const SPANS = SPANS_PER_REQUEST * REQUESTS;
const BAR_RATIO = 0.8;
const OFFERED_PER_SECOND = 30_000;
const OFFERED_SECONDS = 20;
const ACCEPTED_TIMEOUT_MS = 30_000;
const LANDED_TIMEOUT_MS = 60_000;

/**
 * What step 05's Collector does to spans costs: at 30,000 spans a second offered, what is lost, its processor and memory; at
 * full speed, spans a second against the same Collector that only receives, limits its memory, queues and exports, by turns.
 */
export async function benchCollector(): Promise<void> {
  const chosen = await chooseLane(STEP);
  if (chosen.lane === 'local') return console.log(`\ncollector: skipped: ${chosen.reason}`);
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    await using whole = await composeProject();
    await using bare = await composeProject({ COLLECTOR_CONFIG: await bareConfig(folder) });
    await whole.up(STEP);
    await bare.up(STEP);
    await offer(whole);
    await compare(whole, bare);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Writes the step's collector.yaml with the way of the spans alone, and nothing done to them. */
async function bareConfig(folder: string): Promise<string> {
  const config = parse(await readFile(join(STEP, 'collector.yaml'), 'utf8'));
  const { memory_limiter } = config.processors;
  const { 'otlp_http/jaeger': jaeger } = config.exporters;
  const traces = { receivers: ['otlp'], processors: ['memory_limiter'], exporters: ['otlp_http/jaeger'] };
  const path = join(folder, 'collector.yaml');
  await writeFile(
    path,
    stringify({
      ...config,
      connectors: undefined,
      processors: { memory_limiter },
      exporters: { 'otlp_http/jaeger': jaeger },
      service: { ...config.service, pipelines: { traces } },
    }),
    { mode: 0o644 },
  );
  return path;
}

async function offer({ env }: ComposeProject): Promise<void> {
  progress(`collector: ${OFFERED_PER_SECOND} spans/s offered, ${OFFERED_SECONDS} s`);
  const before = await sent(env);
  const cpuBefore = await own(env, 'otelcol_process_cpu_seconds_total');
  const start = performance.now();
  const count = Math.round((OFFERED_PER_SECOND * OFFERED_SECONDS) / SPANS_PER_REQUEST);
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      await sleep((i * SPANS_PER_REQUEST * 1000) / OFFERED_PER_SECOND);
      await post(env, request());
    }),
  );
  const seconds = secondsSince(start);
  const landed = (await whenSent(env, before + count * SPANS_PER_REQUEST)) - before;
  const cpu = ((await own(env, 'otelcol_process_cpu_seconds_total')) - cpuBefore) / seconds;
  const memory = await own(env, `max_over_time(otelcol_process_memory_rss_bytes[${Math.ceil(seconds)}s])`);
  const lost = count * SPANS_PER_REQUEST - landed;
  const rate = (count * SPANS_PER_REQUEST) / seconds;
  const row = [rate.toFixed(0), String(lost), '0', cpu.toFixed(2), (memory / 2 ** 20).toFixed(0), verdict(lost, 0)];
  printTable(`collector: ${OFFERED_PER_SECOND} spans/s offered for ${OFFERED_SECONDS} s`, OFFERED_HEADER, [row]);
}

const OFFERED_HEADER = ['spans/s', 'lost', 'bar', 'cores', 'peak MiB', ''];

async function compare(whole: ComposeProject, bare: ComposeProject): Promise<void> {
  const rounds: { bare: Passed; whole: Passed }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    progress(`collector: ${round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`}, about 20 s`);
    const passed = { bare: await pass(bare.env), whole: await pass(whole.env) };
    if (round > 0) rounds.push(passed);
  }
  const ratio = median(rounds.map((round) => round.whole.perSecond / round.bare.perSecond));
  const lost = rounds.reduce((sum, round) => sum + round.whole.lost + round.bare.lost, 0);
  const perSecond = (of: 'bare' | 'whole') => median(rounds.map((round) => round[of].perSecond)).toFixed(0);
  printTable(
    `collector: spans per second at full speed, medians of ${ROUNDS} rounds of ${SPANS}; ${lost} lost`,
    ['', 'spans/s', 'ratio', 'bar', ''],
    [
      ['receiver, memory_limiter, queue, exporter', perSecond('bare'), '1.00', '', ''],
      [
        "step 05's",
        perSecond('whole'),
        ratio.toFixed(2),
        String(BAR_RATIO),
        lost > 0 ? 'lost' : verdict(-ratio, -BAR_RATIO),
      ],
    ],
  );
}

type Passed = { perSecond: number; lost: number };

/** Sends all spans; returns how many a second the Collector sends on to Jaeger, and how many never left it. */
async function pass(env: Record<string, string>): Promise<Passed> {
  const before = await sent(env);
  await sendAll(env);
  const after = await whenSent(env, before + SPANS);
  // From the first sample that counts some of them to the last that does not count all.
  const under = (await samplesOfSent(env)).filter(([, value]) => value > before && value < before + SPANS);
  const [[startTime, startValue] = [0, 0], [endTime, endValue] = [0, 0]] = [under[0], under.at(-1)];
  return { perSecond: (endValue - startValue) / (endTime - startTime), lost: before + SPANS - after };
}

/** Sends all spans over a few connections, again those that are refused for now. */
async function sendAll(env: Record<string, string>): Promise<void> {
  let left = REQUESTS;
  const connection = async () => {
    while (left > 0) {
      left -= 1;
      await post(env, request());
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

/** Sends one request until it is accepted. */
async function post(env: Record<string, string>, body: string): Promise<void> {
  const deadline = performance.now() + ACCEPTED_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(`${env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const text = await response.text();
    if (response.ok) return;
    if (response.status !== 503) throw new Error(`The spans were refused (${response.status}): ${text}`);
    if (performance.now() > deadline) throw new Error('The spans are refused all the time. Does Jaeger still run?');
    await sleep(20);
  }
}

/** Waits until the Collector has sent `count` spans to Jaeger, or a minute has passed; returns how many it has. */
async function whenSent(env: Record<string, string>, count: number): Promise<number> {
  const deadline = performance.now() + LANDED_TIMEOUT_MS;
  let value = await sent(env);
  while (value < count && performance.now() < deadline) {
    await sleep(500);
    value = await sent(env);
  }
  return value;
}

const SENT = 'otelcol_exporter_sent_spans_total{exporter="otlp_http/jaeger"}';

/** How many spans the Collector has sent to Jaeger. */
async function sent(env: Record<string, string>): Promise<number> {
  return own(env, SENT);
}

/** What the Collector measures of itself. */
async function own(env: Record<string, string>, query: string): Promise<number> {
  const [series] = await promQl(query, String(env.PROMETHEUS_PORT));
  return series?.value ?? 0;
}

/** How many spans the Collector has sent to Jaeger, each second of the last two minutes. */
async function samplesOfSent(env: Record<string, string>): Promise<[seconds: number, value: number][]> {
  const query = new URLSearchParams({ query: `${SENT}[2m]` });
  const response = await fetch(`http://127.0.0.1:${env.PROMETHEUS_PORT}/api/v1/query?${query}`);
  const { data } = (await response.json()) as { data: { result: { values: [number, string][] }[] } };
  return (data.result[0]?.values ?? []).map(([seconds, value]) => [seconds, Number(value)]);
}

const MARK = '#'.repeat(13);
const template = JSON.stringify({
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'bench' } }] },
      scopeSpans: [{ scope: { name: 'bench' }, spans: Array.from({ length: SPANS_PER_REQUEST }, (_, i) => span(i)) }],
    },
  ],
});

/** A span like those of the workshop, alone in its trace: Jaeger then drops the oldest, and its memory stays as it is. */
function span(i: number) {
  const nanoseconds = BigInt(Date.now()) * 1_000_000n;
  const index = i.toString(16).padStart(3, '0');
  return {
    traceId: `${'1'.repeat(16)}${MARK}${index}`,
    spanId: `${MARK}${index}`,
    name: 'call_llm_api',
    kind: 1,
    startTimeUnixNano: String(nanoseconds),
    endTimeUnixNano: String(nanoseconds + BigInt(i) * 1_000_000n + 1n),
    attributes: Array.from({ length: 10 }, (_, n) => ({ key: `key.${n}`, value: { stringValue: `the value ${n}` } })),
  };
}

/** The spans of one request, with ids that are new. */
function request(): string {
  return template.replaceAll(MARK, randomBytes(7).toString('hex').slice(0, 13));
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
