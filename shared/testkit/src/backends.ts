import parse from 'parse-prometheus-text-format';
import { expect, inject, vi } from 'vitest';
import { lastLines } from './containers.ts';
import { type DevtoolsLogs, fromDevtoolsLogs, fromLoki, type Log, type LokiStreams } from './logs.ts';
import { type DevtoolsTraces, fromDevtools, fromOtlp, type OtlpTraces, type Span } from './spans.ts';

const LANDED_TIMEOUT_MS = 10_000;

export type Series = { labels: Record<string, string>; value: number };

export type ReceivedSeries = {
  name: string;
  unit: string;
  service: string;
  attributes: Record<string, unknown>;
  points: { count: number; sum: number }[];
};

export const backends = inject('backends');

/** For tests that only a real backend can answer: `test.skipIf(localLane)(...)`, named with the reason. */
export const localLane = backends.lane === 'local';

/** Why there is no Grafana to test, for the name of what is skipped; undefined where there is one. */
export const noGrafana = backends.noGrafana;

/** The app's environment: where to send and where to be scraped. */
export const appEnv = backends.env;

/** The service that the app sends to. */
const receiver = appEnv.COLLECTOR_HEALTH_PORT ? 'collector' : 'jaeger';

/** All spans of the traces of a service, or of one trace. */
export async function findSpans(wanted: { service: string } | { traceId: string }): Promise<Span[]> {
  if (localLane) {
    if ('traceId' in wanted) return fromDevtools(await queryDevtools('traces', ofTrace(wanted.traceId)));
    const query = { query: `service.name = "${wanted.service}"`, limit: 1_000 };
    const spans = fromDevtools(await queryDevtools('traces', query));
    return spans.filter(({ resource }) => resource['service.name'] === wanted.service);
  }
  const now = Date.now();
  const query = new URLSearchParams({
    'query.service_name': 'service' in wanted ? wanted.service : '',
    'query.start_time_min': new Date(now - 3_600_000).toISOString(),
    'query.start_time_max': new Date(now + 60_000).toISOString(),
    'query.num_traces': '1000',
  });
  const { result } = await getJson<{ result?: OtlpTraces }>(
    'traceId' in wanted ? `/api/v3/traces/${wanted.traceId}` : `/api/v3/traces?${query}`,
  );
  return result ? fromOtlp(result) : [];
}

/**
 * Waits until a trace has landed, with `count` spans. When it does not, says what is there instead and what is most
 * likely missing: `hint`.
 */
export async function findTrace(traceId: string | undefined, hint: string, count = 1): Promise<Span[]> {
  if (!traceId) throw new Error(`The app printed no "Trace:". Most likely: ${hint}`);
  try {
    await vi.waitFor(async () => expect(await spanCount(traceId)).toBeGreaterThanOrEqual(count), {
      timeout: LANDED_TIMEOUT_MS,
      interval: 250,
    });
  } catch {
    throw new Error(
      [
        `Looked for trace ${traceId} with ${count} span(s) at ${backends.tracesUrl} for ${LANDED_TIMEOUT_MS / 1000} s.`,
        `There instead: ${await spanCount(traceId)} span(s) of it; services known: ${await services()}.`,
        `Most likely: ${hint}`,
        `The backend's last lines:\n${backends.project ? await lastLines(backends.project, receiver) : '(local lane: none)'}`,
      ].join('\n'),
    );
  }
  return findSpans({ traceId });
}

/** The series of a metric whose labels include `labels`: by PromQL, or in the local lane from what the app serves. */
export async function findSeries(metric: string, labels: Record<string, string> = {}): Promise<Series[]> {
  const all = localLane ? await servedSeries(metric) : await promQl(metric);
  return all.filter((series) => Object.entries(labels).every(([name, value]) => series.labels[name] === value));
}

/** The log records of a trace, with the names that Loki gives to attributes. */
export async function findLogs(traceId: string): Promise<Log[]> {
  if (localLane) return fromDevtoolsLogs(await queryDevtools<DevtoolsLogs>('logs', ofTrace(traceId)));
  return logQl(`{service_name=~".+"} | trace_id="${traceId}"`);
}

/** Evaluates LogQL in the Loki of the containers lane: the records of the last hour. */
export async function logQl(query: string, port = appEnv.LOKI_PORT): Promise<Log[]> {
  const parameters = new URLSearchParams({ query, limit: '1000' });
  const response = await fetch(`http://localhost:${port}/loki/api/v1/query_range?${parameters}`);
  if (!response.ok) throw new Error(`Loki answers ${response.status}: ${await response.text()}`);
  return fromLoki((await response.json()) as LokiStreams);
}

/** Evaluates PromQL in the Prometheus of the containers lane. */
export async function promQl(query: string, port = appEnv.PROMETHEUS_PORT): Promise<Series[]> {
  type Result = { metric: Record<string, string>; value: [time: number, value: string] }[];
  const { result } = await prometheus<{ result: Result }>(`query?${new URLSearchParams({ query })}`, port);
  return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}

/** The data that Prometheus's HTTP API answers, https://prometheus.io/docs/prometheus/latest/querying/api. */
export async function prometheus<Data>(path: string, port = appEnv.PROMETHEUS_PORT): Promise<Data> {
  const response = await fetch(`http://localhost:${port}/api/v1/${path}`);
  if (!response.ok) throw new Error(`Prometheus answers ${response.status}: ${await response.text()}`);
  const { data } = (await response.json()) as { data: Data };
  return data;
}

/** A metric as the local lane received it over OTLP, by series. */
export async function receivedMetric(name: string): Promise<ReceivedSeries[]> {
  const { series } = await queryDevtools<{ series: ReceivedSeries[] }>('metrics', { name });
  return series;
}

/** What the app serves for Prometheus; `service` counts from the first one. */
export async function metricsPage(service = 0): Promise<string> {
  const port = Number(appEnv.OTEL_EXPORTER_PROMETHEUS_PORT) + service;
  const response = await fetch(`http://localhost:${port}/metrics`);
  return response.text();
}

/** The series of a metric that the app serves now. */
export async function servedSeries(metric: string): Promise<Series[]> {
  // With its comments the parser would fold all histograms of one name into one.
  const samples = (await metricsPage()).replace(/^#.*$/gm, '');
  return parse(samples)
    .filter(({ name }) => name === metric)
    .flatMap(({ metrics }) => metrics.map(({ labels = {}, value }) => ({ labels, value: Number(value) })));
}

async function spanCount(traceId: string): Promise<number> {
  return (await findSpans({ traceId })).length;
}

async function services(): Promise<string> {
  const names = localLane
    ? (await getJson<DevtoolsTraces>('/v1/traces')).traces.map(({ service }) => service)
    : (await getJson<{ services: string[] }>('/api/v3/services')).services;
  return [...new Set(names)].join(', ') || 'none';
}

function ofTrace(traceId: string) {
  return { query: `trace_id = "${traceId}"`, limit: 1_000 };
}

/** Asks autotel-devtools. (Its `GET /v1/traces` gives the latest 100 traces only.) */
async function queryDevtools<Body = DevtoolsTraces>(
  signal: 'traces' | 'metrics' | 'logs',
  query: object,
): Promise<Body> {
  const headers = { 'content-type': 'application/json' };
  return getJson<Body>(`/api/query/${signal}`, { method: 'POST', headers, body: JSON.stringify(query) });
}

/** Jaeger answers 404 with JSON too, until a trace is ingested. */
async function getJson<Body>(path: string, init?: RequestInit): Promise<Body> {
  const response = await fetch(`${backends.tracesUrl}${path}`, init);
  return (await response.json()) as Body;
}
