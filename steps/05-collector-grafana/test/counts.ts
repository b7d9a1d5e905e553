import type { ComposeProject } from '@workshop/backends/compose';
import { readerOf } from '@workshop/backends/reader';
import { appEnv, backends, logsQl, prometheus, promQl } from '@workshop/testkit/backends';

type Alert = { state: string; labels: Record<string, string> };

/** The id of a numbered span. */
export function spanIdOf(number: number): string {
  return String(number).padStart(16, '0');
}

/**
 * The services' spans that Jaeger has, each with its trace: a trace may have those of one service only. One search after the
 * other: under load two answers at once have ended Jaeger 2.13.
 */
export async function spansIn({ env }: ComposeProject): Promise<Map<string, string>> {
  const { findSpans } = readerOf({ ...backends, env });
  const frontend = await findSpans({ service: 'frontend' });
  const backend = await findSpans({ service: 'backend' });
  return new Map([...frontend, ...backend].map(({ spanId, traceId }) => [spanId, traceId]));
}

/** How many of the backend's log records VictoriaLogs has, and of how many traces. */
export async function recordsIn({ env }: ComposeProject): Promise<{ all: number; traces: number }> {
  const counts = 'count() as all, count_uniq(trace_id) as traces';
  const [found] = await logsQl(`service.name:="backend" | stats ${counts}`, env.VICTORIALOGS_PORT);
  return { all: Number(found?.attributes.all), traces: Number(found?.attributes.traces) };
}

/** How much of a kind the services say that they have lost, all together. */
export function lostIn(stderr: string, item: string): number {
  return stderr
    .split('\n')
    .filter((line) => line.includes('Lost: '))
    .map((line) => Number(new RegExp(`(\\d+) ${item}`).exec(line)?.[1] ?? 0))
    .reduce((sum, count) => sum + count, 0);
}

/** What a query gives in the project's Prometheus, one number. */
export async function numberOf(
  query: string,
  { PROMETHEUS_PORT }: Record<string, string>,
): Promise<number | undefined> {
  return (await promQl(query, PROMETHEUS_PORT))[0]?.value;
}

/** What waits in the Collector's queues, by exporter. */
export async function queued(env: { PROMETHEUS_PORT?: string }): Promise<Record<string, number>> {
  const series = await promQl('otelcol_exporter_queue_size', env.PROMETHEUS_PORT);
  return Object.fromEntries(series.map(({ labels, value }) => [labels.exporter, value]));
}

/** The alerts that fire, and what for. */
export async function firing(port = appEnv.PROMETHEUS_PORT): Promise<string[]> {
  const { alerts } = await prometheus<{ alerts: Alert[] }>('alerts', port);
  return alerts
    .filter(({ state }) => state === 'firing')
    .map(({ labels }) => {
      const { service_name, gen_ai_request_model, exporter, receiver, instance } = labels;
      return `${labels.alertname} ${service_name ?? gen_ai_request_model ?? exporter ?? receiver ?? instance}`;
    })
    .sort();
}
