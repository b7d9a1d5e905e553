import { jaegerTraces } from '@workshop/backends/spans';
import { execa } from 'execa';
import { vi } from 'vitest';
import { appEnv, backends, localLane, metricsPage } from './backends.ts';
import type { Places } from './secrets.ts';

/** From a span's end until it is stored: at most 5 s in its program, and 3 s on the way. */
const TIMEOUT_MS = 20_000;
const INTERVAL_MS = 500;

/**
 * All that the backends have stored since `since` (milliseconds since 1970) and printed, and what the app serves for
 * Prometheus: as it is, a text for each place. Waits until each place has what `marks` names for it.
 */
export async function readStored(since: number, marks: Record<string, string[]>): Promise<Places> {
  return vi.waitFor(
    async () => {
      const places = await inTurn(() => readPlaces(since));
      for (const [place, texts] of Object.entries(marks)) {
        const missing = texts.filter((text) => !places[place]?.includes(text));
        if (missing.length > 0) throw new Error(`Not among the ${place}: ${missing.join(', ')}`);
      }
      return places;
    },
    { timeout: TIMEOUT_MS, interval: INTERVAL_MS },
  );
}

let before: Promise<unknown> = Promise.resolve();

/** One after the other: Jaeger changes the traces in its memory while it answers, and two answers at once can end it. */
function inTurn<Result>(read: () => Promise<Result>): Promise<Result> {
  const mine = before.then(read);
  before = mine.catch(() => {});
  return mine;
}

async function readPlaces(since: number): Promise<Places> {
  const pages = await Promise.all([0, 1].map((service) => metricsPage(service).catch(() => '')));
  const stored = localLane ? await readDevtools() : await readContainers(since);
  return { ...stored, 'pages of metrics': pages.join('\n') };
}

async function readDevtools(): Promise<Places> {
  const url = String(appEnv.OTEL_EXPORTER_OTLP_ENDPOINT);
  const query = (signal: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    return read(`${url}/api/query/${signal}`, { method: 'POST', headers, body: JSON.stringify(body) });
  };
  const names = await read(`${url}/api/metrics`);
  const { metrics } = JSON.parse(names) as { metrics: { name: string }[] };
  return {
    traces: await query('traces', { limit: 10_000 }),
    metrics: [names, ...(await Promise.all(metrics.map(({ name }) => query('metrics', { name }))))].join('\n'),
    'log records': await query('logs', { limit: 10_000 }),
  };
}

async function readContainers(since: number): Promise<Places> {
  const { JAEGER_UI_PORT, PROMETHEUS_PORT, VICTORIALOGS_PORT, COLLECTOR_HEALTH_PORT } = appEnv;
  return {
    traces: await readJaeger(`http://localhost:${JAEGER_UI_PORT}`, since),
    ...(PROMETHEUS_PORT && { metrics: await readPrometheus(`http://localhost:${PROMETHEUS_PORT}/api/v1`, since) }),
    ...(VICTORIALOGS_PORT && { 'log records': await readLogs(`http://localhost:${VICTORIALOGS_PORT}`, since) }),
    'logs of the containers': await compose('logs'),
    ...(COLLECTOR_HEALTH_PORT && {
      "files of the Collector's queue": await compose('cp', 'collector:/var/lib/otelcol', '-'),
    }),
  };
}

async function readJaeger(url: string, since: number): Promise<string> {
  const names = await read(`${url}/api/v3/services`);
  const texts = [names];
  for (const service of (JSON.parse(names) as { services: string[] }).services) {
    texts.push(
      await read(jaegerTraces(url, service, since)),
      await read(`${url}/api/v3/operations?service=${service}`),
    );
  }
  return texts.join('\n');
}

async function readPrometheus(url: string, since: number): Promise<string> {
  const all = '{__name__=~".+"}';
  const query = new URLSearchParams({
    'match[]': all,
    query: all,
    start: String(since / 1_000),
    end: String(Date.now() / 1_000),
  });
  const paths = [`series?${query}`, `query_exemplars?${query}`, 'metadata', 'targets'];
  return (await Promise.all(paths.map((path) => read(`${url}/${path}`)))).join('\n');
}

async function readLogs(url: string, since: number): Promise<string> {
  await read(`${url}/internal/force_flush`);
  const query = new URLSearchParams({ query: '*', start: new Date(since).toISOString(), limit: '100000' });
  return read(`${url}/select/logsql/query?${query}`);
}

async function read(url: string, init?: RequestInit): Promise<string> {
  const response = await fetch(url, init);
  const text = await response.text();
  // Jaeger answers 404 when it has no trace of a service.
  if (!response.ok && response.status !== 404) throw new Error(`${url} answers ${response.status}: ${text}`);
  return text;
}

/** What a docker compose command prints: a character for each byte, as it can be a file. */
async function compose(...args: string[]): Promise<string> {
  const command = ['compose', '-p', String(backends.project), ...args];
  const { stdout } = await execa('docker', command, { encoding: 'latin1' });
  return stdout;
}
