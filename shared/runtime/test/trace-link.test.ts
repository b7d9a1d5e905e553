import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startDevtools } from '@workshop/backends/devtools';
import getPort from 'get-port';
import { beforeEach, expect, test, vi } from 'vitest';
import { logsLink, traceLink } from '../src/trace-link.ts';

const ID = '0af7651916cd43dd8448eb211c80319c';
const JAEGER = '<title>Jaeger UI</title>';
const RECEIVER = '{"ok":true,"service":"autotel-devtools","version":"27.1.0","clients":0}';

/** A server that answers `body` at `path`; without a body it never answers. */
async function serve(path: string, body?: string) {
  const server = createServer(({ url }, response) => {
    if (url !== path) response.writeHead(404).end('not found');
    else if (body) response.end(body);
  }).listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port: String(port),
    url: `http://localhost:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

beforeEach(async () => {
  const nobody = String(await getPort());
  vi.stubEnv('JAEGER_UI_PORT', nobody);
  vi.stubEnv('VICTORIALOGS_PORT', nobody);
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://localhost:${nobody}`);
});

test('no page: no link', async () => {
  expect(await traceLink(ID)).toBeUndefined();
  expect(await logsLink(ID)).toBeUndefined();
});

test('Jaeger', async () => {
  await using jaeger = await serve('/', JAEGER);
  vi.stubEnv('JAEGER_UI_PORT', jaeger.port);
  expect(await traceLink(ID)).toBe(`${jaeger.url}/trace/${ID}`);
});

test('the receiver of the local lane', async () => {
  const { url, stop } = await startDevtools(await getPort());
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `${url}/`);
  const link = await traceLink(ID);
  await stop();
  expect(link).toBe(`${url}/#trace=${ID}`);
});

test('both: Jaeger', async () => {
  await using jaeger = await serve('/', JAEGER);
  await using receiver = await serve('/healthz', RECEIVER);
  vi.stubEnv('JAEGER_UI_PORT', jaeger.port);
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
  expect(await traceLink(ID)).toBe(`${jaeger.url}/trace/${ID}`);
});

test('something else at these ports, such as a Collector: no link', async () => {
  await using other = await serve('/', 'Hello');
  vi.stubEnv('JAEGER_UI_PORT', other.port);
  vi.stubEnv('VICTORIALOGS_PORT', other.port);
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', other.url);
  expect(await traceLink(ID)).toBeUndefined();
  expect(await logsLink(ID)).toBeUndefined();
});

test('an endpoint that is no address, or is far away over TLS: no link', async () => {
  for (const endpoint of ['localhost', 'nonsense', 'https://localhost']) {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', endpoint);
    expect(await traceLink(ID)).toBeUndefined();
  }
});

test('a page that does not answer is not waited for', async () => {
  await using silent = await serve('/');
  vi.stubEnv('JAEGER_UI_PORT', silent.port);
  const start = Date.now();
  expect(await traceLink(ID)).toBeUndefined();
  expect(Date.now() - start).toBeLessThan(1_000);
});

test('what a page answered is forgotten after 2 s, also when the clock has jumped back an hour', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const jaeger = await serve('/', JAEGER);
  vi.stubEnv('JAEGER_UI_PORT', jaeger.port);
  expect(await traceLink(ID)).toBeDefined();
  await jaeger[Symbol.asyncDispose]();
  vi.setSystemTime(Date.now() - 3_600_000);
  await expect.poll(() => traceLink(ID), { timeout: 10_000, interval: 250 }).toBeUndefined();
  vi.useRealTimers();
});

test("VictoriaLogs: the trace's records", async () => {
  await using logs = await serve('/select/vmui/', 'Explore your log data with VictoriaLogs UI');
  vi.stubEnv('VICTORIALOGS_PORT', logs.port);
  const { hash } = new URL((await logsLink(ID)) ?? '');
  expect(Object.fromEntries(new URLSearchParams(hash.replace('#/?', '')))).toEqual({
    query: `trace_id:="${ID}"`,
    'g0.relative_time': 'last_1_hour',
  });
});

test('asks without node:http and fetch, which are instrumented in steps 04 and 05', async () => {
  await using jaeger = await serve('/', JAEGER);
  vi.stubEnv('JAEGER_UI_PORT', jaeger.port);
  const made: unknown[] = [];
  const note = (request: unknown) => made.push(request);
  const channels = ['http.client.request.created', 'undici:request:create'];
  for (const channel of channels) subscribe(channel, note);

  await traceLink(ID);
  expect(made).toEqual([]);
  await fetch(jaeger.url);
  expect(made, 'the channels tell nothing: this test proves nothing').toHaveLength(1);
  for (const channel of channels) unsubscribe(channel, note);
});
