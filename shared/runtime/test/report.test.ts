import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { unknownHost } from '@workshop/testkit/app';
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

const LOST = 'Lost: 1 span, 1 data point, 1 log record.';
const allSignals = (url: string, reason: string, lost = LOST) => [
  lost,
  `Telemetry was not sent to ${url}/v1/logs (log records: ${reason}`,
  `Telemetry was not sent to ${url}/v1/metrics (metrics: ${reason}`,
  `Telemetry was not sent to ${url}/v1/traces (traces: ${reason}`,
];

test.concurrent.each(['none', 'gzip'])(
  'refused: a line for each signal, with its own address, and the loss (compression %s)',
  async (how) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1', OTEL_EXPORTER_OTLP_COMPRESSION: how };
    expect(await reports(env)).toEqual(allSignals('http://localhost:1', 'ECONNREFUSED). Does it run?'));
  },
);

test.concurrent.each([
  [307, 'Is it an OTLP receiver? Check OTEL_EXPORTER_OTLP_ENDPOINT.'],
  [401, 'Check the credentials in OTEL_EXPORTER_OTLP_HEADERS.'],
  [403, 'Check the credentials in OTEL_EXPORTER_OTLP_HEADERS.'],
  [404, 'Is it an OTLP receiver? Check OTEL_EXPORTER_OTLP_ENDPOINT.'],
  [413, 'Send smaller batches: set maxExportBatchSize of the processor or metric reader.'],
  [429, 'Send less, or wait.'],
  [500, "Read the receiver's log."],
  [503, "Read the receiver's log."],
])('answered with HTTP %i: the status and what to do, without the phrase of the server', async (status, advice) => {
  await using server = await serve((_request, response) => {
    response.writeHead(status, 'SECRET \x9b31m phrase', { 'retry-after': '60', location: '/login' }).end('SECRET');
  });
  const said = await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url });
  expect(said).toEqual(allSignals(server.url, `HTTP ${status}). ${advice}`));
});

test.concurrent.each([
  ['an HTML page', '<html>Log in</html>'],
  ['half of a JSON text', '{"partialSuccess":'],
  ['JSON that is no object', 'null'],
])('answered with HTTP 200 and %s: it did not arrive', async (_what, body) => {
  await using server = await serve((_request, response) => response.end(body));
  const reason = 'HTTP 200, but the answer is not OTLP). Is it an OTLP receiver? Check OTEL_EXPORTER_OTLP_ENDPOINT.';
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url })).toEqual(allSignals(server.url, reason));
});

test.concurrent('a part rejected: how much and why, on one line and without control characters', async () => {
  const partialSuccess: Record<string, object> = {
    '/v1/traces': { rejectedSpans: '2', errorMessage: 'too\x1b[31m old\nthrown away' },
    '/v1/metrics': { rejectedDataPoints: 0 },
    '/v1/logs': { rejectedLogRecords: 1 },
  };
  await using server = await serve(({ url = '' }, response) => {
    response.end(JSON.stringify({ partialSuccess: partialSuccess[url] }));
  });
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url }, ['3'])).toEqual([
    'Lost: 2 spans, 1 log record.',
    `Telemetry was not sent to ${server.url}/v1/logs (log records: 1 rejected). Read the receiver's log.`,
    `Telemetry was not sent to ${server.url}/v1/traces (traces: 2 rejected, "too\\u001b[31m old thrown away"). Read the receiver's log.`,
  ]);
});

test.concurrent('accepted and never answered: the flush is cut, and what was lost is a guess', async () => {
  await using server = await serve(() => {});
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url }, ['1000'])).toEqual([
    ...allSignals(
      server.url,
      'no answer). Does it run?',
      'Lost: up to 1000 spans, up to 1 data point, up to 1 log record.',
    ).toSpliced(1, 0, 'Telemetry was not flushed within 2 s.'),
  ]);
});

test.concurrent('the connection ends in the middle of the answer: the same guess', async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': '2' }).write('{', () => response.destroy());
  });
  const lost = 'Lost: up to 1 span, up to 1 data point, up to 1 log record.';
  const said = await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url });
  expect(said).toEqual(allSignals(server.url, 'no answer). Does it run?', lost));
});

test.concurrent.each([
  ['https to a port without TLS', 'https', 'EPROTO). Check http or https, and the certificate.'],
  [
    'a server that does not speak HTTP',
    'http',
    'HPE_INVALID_CONSTANT). Is it an OTLP receiver? Check OTEL_EXPORTER_OTLP_ENDPOINT.',
  ],
])('%s', async (_what, protocol, reason) => {
  const server = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const said = await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
  server.close();
  expect(said).toEqual(allSignals(url, reason));
});

test.concurrent('a host that nobody knows', async () => {
  const url = `http://${unknownHost}:4318`;
  const said = await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
  expect(said.slice(0, 1)).toEqual([LOST]);
  for (const line of said.slice(1))
    expect(line).toMatch(/: ENOTFOUND\)\. Check the host name in OTEL_EXPORTER_OTLP_ENDPOINT\.$/);
});

test.concurrent('all arrived: nothing is said', async () => {
  await using server = await serve((_request, response) => response.end('{}'));
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url })).toEqual([]);
});

test.concurrent('an address of its own is named, without user name, password and query; what arrives elsewhere is not', async () => {
  await using server = await serve((_request, response) => response.end('{}'));
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: server.url,
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://me:hunter2@localhost:1/here?key=hunter2',
  };
  expect(await reports(env)).toEqual([
    'Lost: 1 log record.',
    'Telemetry was not sent to http://localhost:1/here (log records: ECONNREFUSED). Does it run?',
  ]);
});

test.concurrent('one address for all signals: a line for each', async () => {
  const said = await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1/?key=hunter2' });
  expect(said).toHaveLength(4);
  for (const signal of ['traces', 'metrics', 'log records'])
    expect(said.join()).toContain(` (${signal}: ECONNREFUSED)`);
  expect(said.join()).not.toContain('hunter2');
});

test.concurrent.each(['api key: hunter2=hunter2', 'api-key=hunter2%0Ahunter2'])(
  'a header that cannot be sent is not shown: %s',
  async (header) => {
    await using server = await serve((_request, response) => response.end('{}'));
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: server.url, OTEL_EXPORTER_OTLP_HEADERS: header };
    const said = (await reports(env)).join('\n');
    expect(said).toMatch(/^Telemetry was not flushed: ERR_INVALID_\w+\. Check OTEL_EXPORTER_OTLP_HEADERS\.$/);
    expect(said).not.toContain('hunter2');
  },
);

test.concurrent('a Host header that is no address', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1', OTEL_EXPORTER_OTLP_HEADERS: 'host=a b' };
  const said = await reports(env);
  expect(said).toContain('Telemetry was not sent to the receiver (traces: ECONNREFUSED). Does it run?');
});

test.concurrent('what fails first and arrives at the second try is neither reported nor counted', async () => {
  const tried = new Set<string>();
  await using server = await serve(({ url = '' }, response) => {
    response.writeHead(tried.has(url) ? 200 : 503, { 'retry-after': '1' }).end('{}');
    tried.add(url);
  });
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url })).toEqual([]);
  expect([...tried].sort()).toEqual(['/v1/logs', '/v1/metrics', '/v1/traces']);
});

test.concurrent('a full queue: said at once, and the loss is more than what is known', async () => {
  const said = await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1' }, ['4000']);
  expect(said).toContain('Spans are dropped: too many wait to be sent.');
  expect(said, said.join('\n')).toContain('Lost: more than 2560 spans, 1 data point, 1 log record.');
});

test.concurrent('more log records than the queue holds: all are counted, what was dropped and what still waits', async () => {
  await using server = await serve((_request, response) => response.end('{}'));
  // 512 are on their way, and 2048 wait.
  expect(await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url }, ['talkative'])).toEqual(['Lost: 440 log records.']);
  const said = await reports({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1' }, ['talkative']);
  expect(said).toContain('Lost: 1 span, 1 data point, 3000 log records.');
});

test.concurrent('a program that goes on says each kind of trouble once while it runs, and at the end how much was lost', async () => {
  let status = 401;
  await using server = await serve((_request, response) => response.writeHead(status).end());
  const program = start({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: server.url, OTEL_EXPORTER_OTLP_ENDPOINT: server.url });
  let stderr = '';
  program.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const metrics = () => stderr.match(/\(metrics: [^)]+\)/g);
  await expect.poll(metrics, { timeout: 15_000 }).toEqual(['(metrics: HTTP 401)']);
  status = 413;
  await expect.poll(metrics, { timeout: 15_000 }).toEqual(['(metrics: HTTP 401)', '(metrics: HTTP 413)']);
  program.stdin.end();
  await program;
  expect(metrics()).toHaveLength(2);
  // One data point in every second.
  const points = Number(/Lost: 1 span, (\d+) data points, 1 log record\.\n?$/.exec(stderr)?.[1]);
  expect(points, stderr).toBeGreaterThanOrEqual(2);
});

test.concurrent('a receiver that does not run is reported while the program goes on', async () => {
  const program = start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1' });
  let stderr = '';
  program.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  await expect
    .poll(() => stderr.split('\n').sort().slice(1), { timeout: 15_000 })
    .toEqual(allSignals('http://localhost:1', 'ECONNREFUSED). Does it run?').slice(1));
  const before = stderr.length;
  program.stdin.end();
  const end = (await program).stderr.slice(before).trim();
  // The exporter of metrics has no short time limit: its last request may be open when the 2 s are over.
  expect(end, end).toMatch(
    /^(Telemetry was not flushed within 2 s\.\n)?(Lost: 1 span,|.* \(metrics: no answer\)\. Does it run\?\nLost: 1 span, up to) \d+ data points, 1 log record\.$/,
  );
});

test.concurrent('a flush that fails or never ends by itself is reported too', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:1' };
  expect(await reports(env, ['bug'])).toEqual(['Telemetry was not flushed: a bug']);
  expect(await reports(env, ['stuck'])).toContain('Telemetry was not flushed within 2 s.');
});

test.concurrent.each(['none', 'gzip'])(
  'accepted and never answered: said while the program runs, not counted before it fails (compression %s)',
  async (how) => {
    let waiting: ServerResponse[] | undefined = [];
    await using server = await serve((_request, response) => waiting?.push(response) ?? response.end('{}'));
    // An address of its own, whose path names no signal.
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: server.url,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${server.url}/here`,
      OTEL_EXPORTER_OTLP_COMPRESSION: how,
    };
    const program = start(env);
    let stderr = '';
    program.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const line = `Telemetry was not sent to ${server.url}/here (metrics: no answer). Does it run?\n`;
    // The exporter of metrics gives up after 10 s.
    await expect.poll(() => stderr, { timeout: 8_000 }).toContain(line);
    for (const response of waiting) response.end('{}');
    waiting = undefined;
    program.stdin.end();
    const { stderr: all } = await program;
    expect(all).not.toContain('data point');
    expect(all.split(line)).toHaveLength(2);
  },
);

test.concurrent.each([
  ['cumulative', 'made up for by the next ones', ''],
  ['delta', 'lost', ' 1 data point,'],
])('%s metrics that did not arrive are %s', async (temporality, _what, counted) => {
  let exports = 0;
  await using server = await serve(({ url }, response) => {
    if (url === '/v1/metrics') exports += 1;
    response.writeHead(url === '/v1/metrics' && exports > 1 ? 200 : 401).end('{}');
  });
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: server.url,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
  };
  const program = start(env, ['steady']);
  await expect.poll(() => exports, { timeout: 15_000 }).toBeGreaterThan(1);
  program.stdin.end();
  expect((await program).stderr).toContain(`Lost: 1 span,${counted} 1 log record.`);
});
