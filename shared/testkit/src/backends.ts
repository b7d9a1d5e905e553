import { setTimeout as sleep } from 'node:timers/promises';
import { lastLines } from '@workshop/backends/compose';
import * as logs from '@workshop/backends/logs';
import * as metrics from '@workshop/backends/prometheus';
import * as reader from '@workshop/backends/reader';
import type { Span } from '@workshop/backends/spans';
import { inject } from 'vitest';
import { landed, runs } from './app.ts';
import type {} from './setup.ts'; // says what is injected

/** A program that goes on sends its spans every 5 s. */
const LANDED_TIMEOUT_MS = 10_000;
const INTERVAL_MS = 250;

export const backends = inject('backends');

/** For tests that only a real backend can answer: `test.skipIf(localLane)(...)`, named with the reason. */
export const localLane = backends.lane === 'local';

/** How long it takes at most until spans that have been handed over can be found. */
const LATEST_MS = localLane ? 1_000 : 3_000;

/** For `expect.poll` of the log records and measurements of a program that has ended, after its spans. */
export const arrived = { timeout: localLane ? 1_000 : 2_000, interval: INTERVAL_MS };

/** Why there is no Grafana to test, for the name of what is skipped; undefined where there is one. */
export const noGrafana = localLane
  ? 'local lane: there is none'
  : backends.without.includes('grafana')
    ? 'WITHOUT=grafana'
    : undefined;

/** The app's environment: where to send and where to be scraped. */
export const appEnv = backends.env;

/** `findLogs(traceId)`: the log records of a trace. `findSpans({ service })` or `({ traceId })`: all spans of these traces. */
export const { findLogs, findSpans, services, tracesUrl, findSeries: findAllSeries } = reader.readerOf(backends);

/** The service that the app sends to. */
const receiver = appEnv.COLLECTOR_HEALTH_PORT ? 'collector' : 'jaeger';

/**
 * Waits until a trace has landed, with `count` spans. When the app that made it has ended, it has sent all of it. When it
 * does not land, says what is there instead.
 */
export async function findTrace(traceId: string | undefined, count = 1): Promise<Span[]> {
  if (!traceId) throw new Error('No trace: neither a line "Trace: ..." nor an answer names its id.');
  const from = Date.now();
  const waited = () => Date.now() - from;
  for (;;) {
    const spans = await findSpans({ traceId });
    if (spans.length >= count) {
      landed.push(`${tracesUrl}/${localLane ? '#trace=' : 'trace/'}${traceId}`);
      return spans;
    }
    const hasEnded = runs.some(({ stdout, isRunning }) => stdout.includes(traceId) && !isRunning);
    if (waited() > (hasEnded ? LATEST_MS : LANDED_TIMEOUT_MS)) throw new Error(await absence(traceId, count, spans));
    await sleep(INTERVAL_MS);
  }
}

async function absence(traceId: string, count: number, spans: Span[]): Promise<string> {
  const page = localLane ? 'The receiver' : 'Jaeger';
  const wanted = count > spans.length && spans.length > 0 ? `${spans.length} of ${count} spans` : 'no span';
  const names = spans.map(({ resource, name }) => `${resource['service.name']} ${name}`).join(', ');
  const known = [...new Set(await services())].join(', ') || 'nobody yet';
  const complaints = backends.project ? await complaintsOf(backends.project) : [];
  return [
    `${page} has ${wanted} of trace ${traceId}${names && `: ${names}`}. It has spans of: ${known}.`,
    ...complaints.map((line) => `The ${receiver} says: ${line}`),
  ].join('\n');
}

/** The last warnings of whatever takes the telemetry in. */
async function complaintsOf(project: string): Promise<string[]> {
  const lines = (await lastLines(project, receiver)).split('\n');
  return lines.filter((line) => /\t(warn|error)\t/.test(line)).slice(-2);
}

/** The series of a metric whose labels include `labels`: by PromQL, or in the local lane from what the app serves. */
export async function findSeries(metric: string, labels: Record<string, string> = {}): Promise<metrics.Series[]> {
  const wanted = Object.entries(labels);
  return (await findAllSeries(metric)).filter((series) =>
    wanted.every(([name, value]) => series.labels[name] === value),
  );
}

/** Evaluates LogsQL in the VictoriaLogs of the containers lane. */
export async function logsQl(query: string, port = appEnv.VICTORIALOGS_PORT): Promise<logs.Log[]> {
  return logs.logsQl(query, String(port));
}

/** Evaluates PromQL in the Prometheus of the containers lane. */
export async function promQl(query: string, port = appEnv.PROMETHEUS_PORT): Promise<metrics.Series[]> {
  return metrics.promQl(query, String(port));
}

/** The data that Prometheus's HTTP API answers. */
export async function prometheus<Data>(path: string, port = appEnv.PROMETHEUS_PORT): Promise<Data> {
  return metrics.prometheus<Data>(path, String(port));
}

/** A metric as the local lane received it over OTLP, by series. */
export async function receivedMetric(name: string): Promise<reader.ReceivedSeries[]> {
  return reader.receivedMetric(name, appEnv);
}

/** What the app serves for Prometheus; `service` counts from the first one. */
export async function metricsPage(service = 0): Promise<string> {
  return metrics.metricsPage(Number(appEnv.OTEL_EXPORTER_PROMETHEUS_PORT) + service);
}

/** Expects that the app serves its metrics, and else throws an Error that names the port. */
export async function expectMetricsPage(): Promise<void> {
  await metricsPage().catch(() => {
    const port = appEnv.OTEL_EXPORTER_PROMETHEUS_PORT;
    throw new Error(
      `Nobody listens on port ${port}, where Prometheus looks for metrics (OTEL_EXPORTER_PROMETHEUS_PORT).`,
    );
  });
}

/** The series of a metric that the app serves now. */
export async function servedSeries(metric: string): Promise<metrics.Series[]> {
  return metrics.seriesOn(await metricsPage(), metric);
}
