import { type DevtoolsLogs, fromDevtoolsLogs, type Log, logsQl } from './logs.ts';
import { metricsPage, promQl, type Series, seriesOn } from './prometheus.ts';
import {
  type DevtoolsTraces,
  fromDevtools,
  fromOtlp,
  jaegerTrace,
  jaegerTraces,
  type OtlpTraces,
  type Span,
} from './spans.ts';
import type { Backends } from './start.ts';

const HOUR_MS = 3_600_000;

/** Reads what landed, the same in both lanes. */
export type Reader = {
  /** The page and API that traces are read from. */
  tracesUrl: string;
  /** All spans of the traces of a service, or of one trace. */
  findSpans(wanted: { service: string } | { traceId: string }): Promise<Span[]>;
  /** The series of a metric: by PromQL, or in the local lane from what the app serves. */
  findSeries(metric: string): Promise<Series[]>;
  /** The log records of a trace. */
  findLogs(traceId: string): Promise<Log[]>;
  /** The names of the services that have sent traces. */
  services(): Promise<string[]>;
};

export type ReceivedSeries = {
  name: string;
  unit: string;
  service: string;
  attributes: Record<string, unknown>;
  /** `value` of a counter, `count` and `sum` of a histogram. */
  points: { value: number; count: number; sum: number }[];
};

/** What reads the backends of `backends`' lane. */
export function readerOf(backends: Backends): Reader {
  return backends.lane === 'local' ? ofDevtools(backends.env) : ofContainers(backends.env);
}

/** Jaeger (https://www.jaegertracing.io/docs/latest/architecture/apis), Prometheus and VictoriaLogs. */
function ofContainers(env: Record<string, string>): Reader {
  const tracesUrl = `http://localhost:${env.JAEGER_UI_PORT}`;
  return {
    tracesUrl,
    async findSpans(wanted) {
      const url =
        'traceId' in wanted
          ? jaegerTrace(tracesUrl, wanted.traceId)
          : jaegerTraces(tracesUrl, wanted.service, Date.now() - HOUR_MS);
      // It answers 404 with JSON too, until a trace is ingested.
      const { result } = await getJson<{ result?: OtlpTraces }>(url);
      return result ? fromOtlp(result) : [];
    },
    findSeries: (metric) => promQl(metric, String(env.PROMETHEUS_PORT)),
    findLogs: (traceId) => logsQl(`trace_id:="${traceId}" | sort by (_time)`, String(env.VICTORIALOGS_PORT)),
    services: async () => (await getJson<{ services: string[] }>(`${tracesUrl}/api/v3/services`)).services,
  };
}

function ofDevtools(env: Record<string, string>): Reader {
  const tracesUrl = String(env.OTEL_EXPORTER_OTLP_ENDPOINT);
  return {
    tracesUrl,
    async findSpans(wanted) {
      if ('traceId' in wanted) return fromDevtools(await queryDevtools(tracesUrl, 'traces', ofTrace(wanted.traceId)));
      const query = { query: `service.name = "${wanted.service}"`, limit: 1_000 };
      const spans = fromDevtools(await queryDevtools(tracesUrl, 'traces', query));
      return spans.filter(({ resource }) => resource['service.name'] === wanted.service);
    },
    findSeries: async (metric) => seriesOn(await metricsPage(Number(env.OTEL_EXPORTER_PROMETHEUS_PORT)), metric),
    findLogs: async (traceId) =>
      fromDevtoolsLogs(await queryDevtools<DevtoolsLogs>(tracesUrl, 'logs', ofTrace(traceId))),
    services: async () =>
      (await getJson<DevtoolsTraces>(`${tracesUrl}/v1/traces`)).traces.map(({ service }) => service),
  };
}

/** A metric as the local lane's receiver got it over OTLP, by series. */
export async function receivedMetric(name: string, env: Record<string, string>): Promise<ReceivedSeries[]> {
  const url = String(env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const { series } = await queryDevtools<{ series: ReceivedSeries[] }>(url, 'metrics', { name });
  return series;
}

function ofTrace(traceId: string) {
  return { query: `trace_id = "${traceId}"`, limit: 1_000 };
}

/** Asks autotel-devtools. (Its `GET /v1/traces` gives the latest 100 traces only.) */
async function queryDevtools<Body = DevtoolsTraces>(
  url: string,
  signal: 'traces' | 'metrics' | 'logs',
  query: object,
): Promise<Body> {
  const headers = { 'content-type': 'application/json' };
  return getJson<Body>(`${url}/api/query/${signal}`, { method: 'POST', headers, body: JSON.stringify(query) });
}

async function getJson<Body>(url: string, init?: RequestInit): Promise<Body> {
  const response = await fetch(url, init);
  return (await response.json()) as Body;
}
