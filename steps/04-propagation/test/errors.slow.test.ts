import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Span } from '@workshop/backends/spans';
import { findTrace } from '@workshop/testkit/backends';
import { post, type Services, startServices } from '@workshop/testkit/services';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('bad requests', () => {
  let services: Services;
  beforeAll(async () => {
    services = await startServices();
  }, 30_000);
  afterAll(() => services[Symbol.asyncDispose]());

  test.each([
    ['no question', {}, 'question must be a text'],
    ['an empty one', { question: '  ' }, 'question is empty'],
    ['4,001 characters', { question: 'x'.repeat(4_001) }, 'longer than 4000'],
    ['a number', { question: 42 }, 'question must be a text'],
    ['a session id that is none', { question: 'hello', sessionId: 'x' }, 'sessionId must be a UUID'],
    ['no JSON', '{"question":', 'The body cannot be read (HTTP 400). Send JSON like {"question":'],
    ['no object', '[]', 'There is no question in the body. Send JSON like {"question":'],
  ])('%s: 400 with a message and the trace id', async (_name, body, message) => {
    for (const url of [services.url, services.backendUrl]) {
      const answer = await post(url, body);
      expect(answer).toMatchObject({
        status: 400,
        body: { error: { type: 'bad_request', message: expect.stringContaining(message) } },
      });
      expect(answer.body.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(JSON.stringify(answer.body)).not.toMatch(/\.ts:\d|node_modules/);
    }
  });

  test('a body that is too large is refused, 4,000 characters of any script are not', async () => {
    expect((await services.ask('x'.repeat(200_000))).status).toBe(413);
    expect((await services.ask('京'.repeat(4_000))).status).toBe(200);
  });
});

test.concurrent('the model fails: 502 with its error type, and the spans say where', async () => {
  await using services = await startServices({ env: { LLM_FAULT: 'malformed' } });
  const { status, body } = await services.ask('What is a trace?');

  expect(status).toBe(502);
  expect(body.error).toEqual({ type: 'malformed_response', message: expect.stringContaining('Ask again') });
  const spans = await findTrace(body.traceId, 5);
  expect(failed(spans)).toEqual([
    'backend SERVER POST /ask: 502',
    'backend call_llm_api: malformed_response',
    'frontend CLIENT POST: 502',
    'frontend SERVER POST /ask: 502',
  ]);
});

test.concurrent('the model is too slow: timeout', async () => {
  await using services = await startServices({ env: { LLM_FAULT: 'timeout', LLM_TIMEOUT_MS: '500' } });
  const { status, body } = await services.ask('What is a trace?');

  expect(status).toBe(502);
  expect(body.error).toMatchObject({ type: 'timeout' });
  expect(failed(await findTrace(body.traceId, 5))).toContain('backend call_llm_api: timeout');
});

test.concurrent('the backend is down: 502, and the span of the request to it says so', async () => {
  await using services = await startServices({ env: { BACKEND_URL: `http://localhost:${await getPort()}` } });
  const { status, body } = await services.ask('What is a trace?');

  expect(status).toBe(502);
  expect(body.error).toEqual({ type: 'unavailable', message: expect.stringContaining('backend does not answer') });
  const spans = await findTrace(body.traceId, 2);
  expect(failed(spans)).toEqual([expect.stringMatching(/^frontend CLIENT POST: .*/), 'frontend SERVER POST /ask: 502']);
});

test.concurrent('the backend is too slow: 502 by the frontend, and its span is the one with the error', async () => {
  await using services = await startServices({ env: { LLM_LATENCY_MS: '3000', BACKEND_TIMEOUT_MS: '500' } });
  const { status, body } = await services.ask('What is a trace?');

  expect(status).toBe(502);
  expect(body.error).toEqual({ type: 'timeout', message: expect.stringContaining('did not answer in time') });
  expect(failed(await findTrace(body.traceId, 5))).toContain('frontend SERVER POST /ask: 502');
});

test.concurrent('a request for another machine: 421, and its span has no route', async () => {
  await using services = await startServices();
  const traceId = crypto.randomUUID().replaceAll('-', '');
  const asked = request(`${services.url}/ask`, {
    method: 'POST',
    headers: { host: 'evil.example', traceparent: `00-${traceId}-80f345e18ee169e9-01` },
  });
  const [response] = (await once(asked.end('{}'), 'response')) as [IncomingMessage];

  expect(response.statusCode).toBe(421);
  const [span] = await findTrace(traceId, 1);
  expect(span).toMatchObject({ kind: 'SERVER', name: 'POST', attributes: { 'http.response.status_code': 421 } });
  expect(span?.attributes).not.toHaveProperty('http.route');
});

test.concurrent('a body that never ends: given up after 10 s with 408, and its span lands', async () => {
  await using services = await startServices();
  const traceId = crypto.randomUUID().replaceAll('-', '');
  const asked = request(`${services.url}/ask`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-80f345e18ee169e9-01` },
  });
  asked.write('{"question":"');
  const [response] = (await once(asked, 'response')) as [IncomingMessage];

  expect(response.statusCode).toBe(408);
  expect(JSON.parse(await text(response)).error.message).toContain('did not arrive within 10 s');
  const [span] = await findTrace(traceId, 1);
  expect(span).toMatchObject({ kind: 'SERVER', attributes: { 'http.response.status_code': 408 } });
});

/** The spans with an error: whose they are, and what went wrong. */
function failed(spans: Span[]): string[] {
  return spans
    .filter(({ status }) => status.code === 'ERROR')
    .map(({ resource, kind, name, attributes }) => {
      const what = kind === 'INTERNAL' ? name : `${kind} ${name}`;
      return `${resource['service.name']} ${what}: ${attributes['error.type']}`;
    })
    .sort();
}
