import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startContainers } from '../../shared/testkit/src/containers.ts';
import { readCompose, whyNoContainers } from '../../shared/testkit/src/lane.ts';
import { median, printTable, progress, verdict } from './report.ts';

const steps = join(import.meta.dirname, '../../steps');
const STRAIGHT = join(steps, '02-jaeger');
const THROUGH = join(steps, '05-collector-grafana');
const ROUNDS = 3;
const CONNECTIONS = 4;
const SPANS_PER_REQUEST = 512;
const REQUESTS = 1_000;
const SPANS = SPANS_PER_REQUEST * REQUESTS;
const BAR_RATIO = 0.9;
const BAR_PER_SECOND = 30_000;
const ACCEPTED_TIMEOUT_MS = 30_000;
const LANDED_TIMEOUT_MS = 60_000;

/** Spans per second through step 05's Collector into Jaeger, against the same spans sent straight into Jaeger, by turns. */
export async function benchCollector(): Promise<void> {
  const reason = await whyNoContainers(await readCompose(THROUGH));
  if (reason) {
    console.log(`\ncollector: skipped: ${reason}`);
    return;
  }
  const jaeger = await startContainers(STRAIGHT);
  try {
    const collector = await startContainers(THROUGH);
    try {
      const rates: { straight: number; through: number; lost: number }[] = [];
      for (let round = 0; round <= ROUNDS; round += 1) {
        progress(`collector: ${round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`}, about 10 s`);
        const straight = SPANS / (await send(String(jaeger.env.OTLP_PORT)));
        const passed = await passOn(collector.env);
        if (round > 0) rates.push({ straight, ...passed });
      }
      print(rates);
    } finally {
      await collector.stop();
    }
  } finally {
    await jaeger.stop();
  }
}

function print(rates: { straight: number; through: number; lost: number }[]): void {
  const straight = median(rates.map((rate) => rate.straight));
  const through = median(rates.map((rate) => rate.through));
  const ratio = median(rates.map((rate) => rate.through / rate.straight));
  const lost = rates.reduce((sum, rate) => sum + rate.lost, 0);
  const title = `collector: spans per second, medians of ${ROUNDS} rounds of ${SPANS}; ${lost} lost`;
  const judged = lost > 0 ? 'lost' : verdict(-ratio, -BAR_RATIO);
  const rows = [
    ['straight into Jaeger', straight.toFixed(0), '', '1.00', '', ''],
    ['through the Collector', through.toFixed(0), String(BAR_PER_SECOND), ratio.toFixed(2), String(BAR_RATIO), judged],
  ];
  printTable(title, ['', 'spans/s', 'bar', 'ratio', 'bar', ''], rows);
}

/** Sends all spans, again those that are refused for now, and returns the seconds until the last was accepted. */
async function send(port: string): Promise<number> {
  const start = performance.now();
  let left = REQUESTS;
  const connection = async () => {
    while (left > 0) {
      left -= 1;
      const body = request();
      const deadline = performance.now() + ACCEPTED_TIMEOUT_MS;
      while (!(await accepted(port, body))) {
        if (performance.now() > deadline) throw new Error('The spans are refused all the time. Does Jaeger still run?');
        await sleep(20);
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  return (performance.now() - start) / 1000;
}

async function accepted(port: string, body: string): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const text = await response.text();
  if (response.ok) return true;
  if (response.status === 503) return false;
  throw new Error(`The spans were refused (${response.status}): ${text}`);
}

/** Sends all spans to the Collector; returns how many a second it sends on to Jaeger, and how many never left it. */
async function passOn(env: Record<string, string>): Promise<{ through: number; lost: number }> {
  const before = (await sent(env)).at(-1)?.[1] ?? 0;
  await send(String(env.OTLP_PORT));
  const deadline = performance.now() + LANDED_TIMEOUT_MS;
  let samples = await sent(env);
  while ((samples.at(-1)?.[1] ?? 0) < before + SPANS && performance.now() < deadline) {
    await sleep(500);
    samples = await sent(env);
  }
  // From the first sample that counts some of them to the last that does not count all.
  const under = samples.filter(([, value]) => value > before && value < before + SPANS);
  const [[startTime, startValue] = [0, 0], [endTime, endValue] = [0, 0]] = [under[0], under.at(-1)];
  return {
    through: (endValue - startValue) / (endTime - startTime),
    lost: before + SPANS - (samples.at(-1)?.[1] ?? 0),
  };
}

type Sample = [seconds: number, value: number];

/** How many spans the Collector has sent to Jaeger, each second of the last two minutes. */
async function sent(env: Record<string, string>): Promise<Sample[]> {
  const query = new URLSearchParams({ query: 'otelcol_exporter_sent_spans_total{exporter="otlp_http/jaeger"}[2m]' });
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
