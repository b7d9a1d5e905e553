import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const start = (env: Record<string, string>, args: string[] = []) =>
  execa(process.execPath, [join(import.meta.dirname, 'sender.ts'), ...args], { env, reject: false, stdin: 'pipe' });

/** What a program that ends at once says; a flush is all that it sends. */
async function reports(env: Record<string, string>, args: string[] = []): Promise<string[]> {
  const program = start(env, args);
  program.stdin.end();
  const { stderr, exitCode } = await program;
  expect(exitCode, stderr).toBe(0);
  return stderr.split('\n').filter(Boolean).sort();
}

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const allSignals = (url: string, reason: string) => [
  `Telemetry was not sent to ${url}/v1/logs (log records: ${reason}`,
  `Telemetry was not sent to ${url}/v1/metrics (metrics: ${reason}`,
  `Telemetry was not sent to ${url}/v1/traces (traces: ${reason}`,
];

test('refused: a line for each signal, with its own address', async () => {
  const url = 'http://localhost:1';
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: url })).toEqual(allSignals(url, 'ECONNREFUSED). Does it run?'));
});

test.each([503, 404])('answered with HTTP %i: the same', async (status) => {
  await using server = await serve((_request, response) => response.writeHead(status).end());
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url })).toEqual(
    allSignals(server.url, `HTTP ${status}).`),
  );
});

test('accepted and never answered: the same', async () => {
  await using server = await serve(() => {});
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url })).toEqual(
    allSignals(server.url, 'no answer). Does it run?'),
  );
});

test('all arrived: nothing is said', async () => {
  await using server = await serve((_request, response) => response.end('{}'));
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url })).toEqual([]);
});

test('an address of its own is named, without user name, password and query; what arrives elsewhere is not', async () => {
  await using server = await serve((_request, response) => response.end('{}'));
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: server.url,
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://me:hunter2@localhost:1/here?key=hunter2',
  };
  expect(await reports(env)).toEqual([
    'Telemetry was not sent to http://localhost:1/here (log records: ECONNREFUSED). Does it run?',
  ]);
});

test('what fails first and arrives at the second try is not reported', async () => {
  const tried = new Set<string>();
  await using server = await serve(({ url = '' }, response) => {
    response.writeHead(tried.has(url) ? 200 : 503, { 'retry-after': '1' }).end('{}');
    tried.add(url);
  });
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url })).toEqual([]);
  expect([...tried].sort()).toEqual(['/v1/logs', '/v1/metrics', '/v1/traces']);
});

test('a program that goes on says it while it runs, and once', async () => {
  const program = start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1' });
  let stderr = '';
  program.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  await expect
    .poll(() => stderr.split('\n').sort().slice(1), { timeout: 15_000 })
    .toEqual(allSignals('http://localhost:1', 'ECONNREFUSED). Does it run?'));
  program.stdin.end();
  expect((await program).stderr).toBe(stderr.trim());
});

test('a flush that fails by itself is reported too', async () => {
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1' }, ['bug'])).toEqual([
    'Telemetry was not flushed: a bug',
  ]);
});
