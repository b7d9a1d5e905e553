// Sends traces of three services as their SDKs would, then counts what is in Jaeger: node scale/load.ts 2000
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const BATCH_SPANS = 100;
const TICK_MS = 250;
/** Longer than `decision_wait` in gateway.yaml. */
const DECIDED_MS = 10_000;

export const kinds = ['error', 'slow', 'other'] as const;
export type Sent = { traceId: string; kind: (typeof kinds)[number]; time: number };

/** Where the agents listen, and Jaeger: the variables are those of compose.yaml. */
type Environment = { OTLP_PORT?: string; BACKEND_OTLP_PORT?: string; JAEGER_UI_PORT?: string };

/**
 * Sends `count` traces of three spans each, `perSecond` each second. Of twenty, one has an error, one is slow. Each service
 * sends its spans in an order of its own. With `head` only this share of the traces is sent, as an SDK with a ratio sampler
 * does. Returns what was sent.
 */
export async function sendTraces(
  count: number,
  { env = process.env as Environment, perSecond = 200, head = 1 } = {},
): Promise<Sent[]> {
  const frontendAgent = Number(env.OTLP_PORT || 4318);
  const backendAgent = Number(env.BACKEND_OTLP_PORT || 4319);
  const sent: Sent[] = [];
  const start = Date.now();
  for (let first = 0; first < count; ) {
    const last = Math.min(count, first + Math.ceil((perSecond * TICK_MS) / 1_000));
    const traces = Array.from({ length: last - first }, (_, i) => newTrace(first + i)).filter(
      () => Math.random() < head,
    );
    await Promise.all([
      send(frontendAgent, 'frontend', traces.map(frontendSpan)),
      send(backendAgent, 'backend', traces.map(backendSpan)),
      send(backendAgent, 'search', traces.map(searchSpan)),
    ]);
    sent.push(...traces);
    first = last;
    await sleep(Math.max(0, start + (first / perSecond) * 1_000 - Date.now()));
  }
  return sent;
}

/** The spans that Jaeger has of each trace with a span of the frontend, by trace id. */
export async function landedSpans(env: Environment = process.env): Promise<Map<string, number>> {
  const query = new URLSearchParams({
    'query.service_name': 'frontend',
    'query.start_time_min': new Date(Date.now() - 3_600_000).toISOString(),
    'query.start_time_max': new Date(Date.now() + 60_000).toISOString(),
    'query.num_traces': '5000',
  });
  const response = await fetch(`http://localhost:${env.JAEGER_UI_PORT || 16686}/api/v3/traces?${query}`);
  const { result } = (await response.json()) as { result?: OtlpTraces };
  const spans = result?.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans = [] }) => spans)) ?? [];
  const landed = new Map<string, number>();
  for (const { traceId } of spans) landed.set(traceId, (landed.get(traceId) ?? 0) + 1);
  return landed;
}

type OtlpTraces = { resourceSpans: { scopeSpans: { spans?: { traceId: string }[] }[] }[] };

function newTrace(number: number): Sent {
  const kind = number % 20 === 0 ? 'error' : number % 20 === 1 ? 'slow' : 'other';
  return { traceId: randomBytes(16).toString('hex'), kind, time: Date.now() };
}

/** Which of 50 customers asked. */
export function customerOf(traceId: string): string {
  return `customer-${Number.parseInt(traceId.slice(0, 4), 16) % 50}`;
}

function frontendSpan({ traceId, kind, time }: Sent) {
  const customer = { key: 'session.id', value: { stringValue: customerOf(traceId) } };
  return { ...span(traceId, time, kind === 'slow' ? 3_000 : 120), name: 'POST /ask', kind: 2, attributes: [customer] };
}

function backendSpan({ traceId, kind, time }: Sent) {
  const status = kind === 'error' ? { code: 2, message: 'the model did not answer' } : {};
  return { ...span(traceId, time, 100), name: 'call_llm_api', kind: 3, status };
}

function searchSpan({ traceId, time }: Sent) {
  return { ...span(traceId, time, 20), name: 'search', kind: 2 };
}

/** A span that has ended at `time` after `duration` ms. */
function span(traceId: string, time: number, duration: number) {
  const times = { startTimeUnixNano: `${time - duration}000000`, endTimeUnixNano: `${time}000000` };
  return { traceId, spanId: randomBytes(8).toString('hex'), ...times };
}

/** Sends spans of a service to the agent at `port`, shuffled, in batches. https://opentelemetry.io/docs/specs/otlp/#otlphttp */
async function send(port: number, service: string, spans: object[]): Promise<void> {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
  const shuffled = spans.toSorted(() => Math.random() - 0.5);
  for (let first = 0; first < shuffled.length; first += BATCH_SPANS) {
    const scopeSpans = [{ scope: { name: 'load' }, spans: shuffled.slice(first, first + BATCH_SPANS) }];
    const response = await fetch(`http://localhost:${port}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }),
    });
    if (!response.ok) throw new Error(`The agent at port ${port} answers ${response.status}: ${await response.text()}`);
  }
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { head: { type: 'string' } } });
  const sent = await sendTraces(Number(positionals[0] ?? 2_000), { head: Number(values.head ?? 1) });
  console.log(`Sent ${sent.length} traces. They are counted in ${DECIDED_MS / 1_000} s.`);
  await sleep(DECIDED_MS);
  const landed = await landedSpans();
  for (const kind of kinds) {
    const traces = sent.filter((each) => each.kind === kind);
    const there = traces.filter(({ traceId }) => landed.has(traceId));
    console.log(`${kind.padEnd(6)} sent ${traces.length}, in Jaeger ${there.length}`);
  }
}

if (import.meta.main) await main();
