import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeProject } from '@workshop/backends/compose';
import { promQl } from '@workshop/backends/prometheus';
import { parse, stringify } from 'yaml';
import { type Figure, figure, progress } from './figures.ts';
import type { Run } from './results.ts';
import { STEP_05 } from './steps.ts';

const CONNECTIONS = 4;
const SPANS_PER_REQUEST = 512;
const REQUESTS = 600;
const SPANS = SPANS_PER_REQUEST * REQUESTS;
const BAR_RATIO = 0.8;
const RATES = [7_500, 15_000, 30_000];
const OFFERED_SECONDS = 7;
const ACCEPTED_TIMEOUT_MS = 30_000;
const LANDED_TIMEOUT_MS = 60_000;

/**
 * What step 05's Collector does to spans costs. Offered from 7,500 to 30,000 spans a second: what is lost, and whether
 * processor and memory grow as the load does. At full speed: spans a second against the same Collector that only receives,
 * limits its memory, queues and exports, by turns.
 */
export async function benchCollector({ quick }: Run): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'collector-'));
  try {
    await using whole = await composeProject();
    await using bare = await composeProject({ COLLECTOR_CONFIG: await bareConfig(folder) });
    await whole.up(STEP_05);
    await bare.up(STEP_05);
    const rounds = quick ? 1 : 3;
    return [...(await grow(whole.env, quick ? 1 : 2)), ...(await compare(whole.env, bare.env, rounds))];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Writes the step's collector.yaml with the way of the spans alone, and nothing done to them. */
async function bareConfig(folder: string): Promise<string> {
  const config = parse(await readFile(join(STEP_05, 'collector.yaml'), 'utf8'));
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

type Env = Record<string, string>;
/** `sent` on to Jaeger, spans a second. */
type Offered = { lost: number; sent: number; cores: number; memory: number };

/** At twice and four times the load, twice and four times as much is sent. So are the cores, if they grow as it does. */
async function grow(env: Env, rounds: number): Promise<Figure[]> {
  const offers = RATES.map((rate) => ({ rate, offered: [] as Offered[] }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const { rate, offered } of offers) {
      progress(`collector: ${rate} spans/s offered, ${OFFERED_SECONDS} s, round ${round}`);
      offered.push(await offer(env, rate));
    }
  }
  return offers.flatMap(({ rate, offered }) => {
    const values = (what: keyof Offered, of = offered) => of.map((one) => one[what]);
    const toFirst = (what: keyof Offered) =>
      rate === RATES[0] ? {} : { baseline: { id: `at ${RATES[0]}`, values: values(what, offers[0]?.offered) } };
    return [
      figure(`lost at ${rate} spans/s`, 'spans', values('lost'), { bar: 0 }),
      figure(`sent at ${rate} spans/s`, 'spans/s', values('sent'), { better: 'higher', ...toFirst('sent') }),
      figure(`processor at ${rate} spans/s`, 'cores', values('cores'), toFirst('cores')),
      figure(`memory at ${rate} spans/s`, 'MiB', values('memory'), toFirst('memory')),
    ];
  });
}

/** Offers `rate` spans a second. */
async function offer(env: Env, rate: number): Promise<Offered> {
  const before = await sent(env);
  const count = Math.round((rate * OFFERED_SECONDS) / SPANS_PER_REQUEST);
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      await sleep((i * SPANS_PER_REQUEST * 1000) / rate);
      await post(env, request());
    }),
  );
  const window = `[${OFFERED_SECONDS - 2}s]`; // without the beginning
  const measured = {
    sent: await own(env, `rate(${SENT}${window})`),
    cores: await own(env, `rate(otelcol_process_cpu_seconds_total${window})`),
    memory: (await own(env, `max_over_time(otelcol_process_memory_rss_bytes${window})`)) / 2 ** 20,
  };
  const spans = count * SPANS_PER_REQUEST;
  return { ...measured, lost: before + spans - (await whenSent(env, before + spans)) };
}

async function compare(whole: Env, bare: Env, rounds: number): Promise<Figure[]> {
  const passes: { whole: Passed; bare: Passed }[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    progress(`collector: full speed, ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`);
    const passed = { bare: await pass(bare), whole: await pass(whole) };
    if (round > 0) passes.push(passed);
  }
  const baseline = { id: 'the bare Collector', values: passes.map((passed) => passed.bare.perSecond) };
  const values = passes.map((passed) => passed.whole.perSecond);
  const lost = passes.map((passed) => passed.whole.lost + passed.bare.lost);
  return [
    figure('full speed', 'spans/s', values, { better: 'higher', baseline, ratioBar: BAR_RATIO }),
    figure('lost at full speed', 'spans', lost, { bar: 0 }),
  ];
}

type Passed = { perSecond: number; lost: number };

/** Sends all spans; returns how many a second the Collector sends on to Jaeger, and how many never left it. */
async function pass(env: Env): Promise<Passed> {
  const before = await sent(env);
  await sendAll(env);
  const after = await whenSent(env, before + SPANS);
  // From the first sample that counts some of them to the last that does not count all.
  const under = (await samplesOfSent(env)).filter(([, value]) => value > before && value < before + SPANS);
  const [[startTime, startValue] = [0, 0], [endTime, endValue] = [0, 0]] = [under[0], under.at(-1)];
  return { perSecond: (endValue - startValue) / (endTime - startTime), lost: before + SPANS - after };
}

/** Sends all spans over a few connections, again those that are refused for now. */
async function sendAll(env: Env): Promise<void> {
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
async function post(env: Env, body: string): Promise<void> {
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
async function whenSent(env: Env, count: number): Promise<number> {
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
async function sent(env: Env): Promise<number> {
  return own(env, SENT);
}

/** What the Collector measures of itself. */
async function own(env: Env, query: string): Promise<number> {
  const [series] = await promQl(query, String(env.PROMETHEUS_PORT));
  return series?.value ?? 0;
}

/** How many spans the Collector has sent to Jaeger, each second of the last two minutes. */
async function samplesOfSent(env: Env): Promise<[seconds: number, value: number][]> {
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
