import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { freePort } from '@workshop/backends/ports';
import { expect, vi } from 'vitest';
import { unknownHost } from './app.ts';
import { appEnv, findSpans } from './backends.ts';

/**
 * Starts a receiver in front of that of the tests. `refuse` is told how often the request has come before, and answers it or
 * returns false: then it is passed on. Ended by `await using`.
 */
export async function startReceiver(refuse: (response: ServerResponse, before: number) => unknown = () => false) {
  const tries = new Map<string, number>();
  const server = createServer(async (request, response) => {
    // What a program asks to learn whether there is a page to link.
    if (request.method === 'GET') return response.writeHead(404).end();
    const body = await buffer(request);
    const before = tries.get(body.toString()) ?? 0;
    tries.set(body.toString(), before + 1);
    if (refuse(response, before) !== false) return;
    const answer = await fetch(`${appEnv.OTEL_EXPORTER_OTLP_ENDPOINT}${request.url}`, {
      method: 'POST',
      headers: { 'content-type': String(request.headers['content-type']) },
      body: new Uint8Array(body),
    });
    response.writeHead(answer.status).end(await answer.text());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    /** How often each request came, in order. */
    tries: () => [...tries.values()],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Waits until of the spans of these traces so many are there, each once. */
export async function expectLanded(traceIds: string[], count: number): Promise<void> {
  const landed = async () => (await Promise.all(traceIds.map((traceId) => findSpans({ traceId })))).flat();
  await vi.waitFor(async () => expect(await landed()).toHaveLength(count), { timeout: 20_000, interval: 250 });
}

const nobody = (endpoint: string) => ({
  env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
  [Symbol.asyncDispose]: async () => {},
});

/** What may be wrong with a receiver, what a program says of it, and how the line begins that says how much is lost. */
export const receiverFaults = [
  {
    fault: 'nobody listens',
    start: async () => nobody(`http://127.0.0.1:${await freePort()}`),
    reason: /ECONNREFUSED\)\. Does it run\?/,
    lost: 'Lost: ',
  },
  {
    fault: 'it accepts and never answers',
    start: () => startReceiver(() => {}),
    reason: /no answer\)\. Does it run\?/,
    // It may have taken them.
    lost: 'Lost: up to ',
  },
  {
    fault: 'it answers 413',
    start: () => startReceiver((response) => response.writeHead(413).end()),
    reason: /HTTP 413\)\. Send smaller batches/,
    lost: 'Lost: ',
  },
  {
    fault: 'it answers with a page',
    start: () => startReceiver((response) => response.end('<html>Log in</html>')),
    reason: /HTTP 200, but the answer is not OTLP\)\. Is it an OTLP receiver\?/,
    lost: 'Lost: ',
  },
  {
    fault: 'its name is unknown',
    start: async () => nobody(`http://${unknownHost}:4318`),
    reason: /ENOTFOUND\)\. Check the host name in OTEL_EXPORTER_OTLP_ENDPOINT\./,
    lost: 'Lost: ',
  },
];
