import { lastLines } from '@workshop/backends/compose';
import * as logs from '@workshop/backends/logs';
import * as metrics from '@workshop/backends/prometheus';
import * as reader from '@workshop/backends/reader';
import type { Span } from '@workshop/backends/spans';
import { expect, inject, vi } from 'vitest';
import type {} from './setup.ts'; // says what is injected

const LANDED_TIMEOUT_MS = 10_000;

export const backends = inject('backends');

/** For tests that only a real backend can answer: `test.skipIf(localLane)(...)`, named with the reason. */
export const localLane = backends.lane === 'local';

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
        `Looked for trace ${traceId} with ${count} span(s) at ${tracesUrl} for ${LANDED_TIMEOUT_MS / 1000} s.`,
        `There instead: ${await spanCount(traceId)} span(s) of it; services known: ${await knownServices()}.`,
        `Most likely: ${hint}`,
        `The backend's last lines:\n${backends.project ? await lastLines(backends.project, receiver) : '(local lane: none)'}`,
      ].join('\n'),
    );
  }
  return findSpans({ traceId });
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

/** The series of a metric that the app serves now. */
export async function servedSeries(metric: string): Promise<metrics.Series[]> {
  return metrics.seriesOn(await metricsPage(), metric);
}

async function spanCount(traceId: string): Promise<number> {
  return (await findSpans({ traceId })).length;
}

async function knownServices(): Promise<string> {
  return [...new Set(await services())].join(', ') || 'none';
}
