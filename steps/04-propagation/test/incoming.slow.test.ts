import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { findSpans, findTrace } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { makeWord } from '@workshop/testkit/secrets';
import { post, type Services, startServices } from '@workshop/testkit/services';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const id = () => crypto.randomUUID().replaceAll('-', '');
const traceparent = (traceId: string, flags = '01') => `00-${traceId}-80f345e18ee169e9-${flags}`;
const uberTraceId = (traceId: string, flags = '1') => `${traceId}:80f345e18ee169e9:0:${flags}`;

let services: Services;

beforeAll(async () => {
  services = await startServices();
}, 30_000);

afterAll(() => services[Symbol.asyncDispose]());

test.concurrent.each([
  ['W3C only', (mine: string) => ({ traceparent: traceparent(mine) })],
  ['Jaeger only, as an old client sends it', (mine: string) => ({ 'uber-trace-id': uberTraceId(mine) })],
  ['both, agreeing', (mine: string) => ({ traceparent: traceparent(mine), 'uber-trace-id': uberTraceId(mine) })],
  [
    'both, in conflict: W3C wins',
    (mine: string) => ({ traceparent: traceparent(mine), 'uber-trace-id': uberTraceId(id()) }),
  ],
])('%s: the trace is joined', async (_name, headers) => {
  const mine = id();
  const { status, body } = await services.ask('What is a trace?', headers(mine));
  expect(status).toBe(200);
  expect(body.traceId).toBe(mine);
  const spans = await findTrace(mine, 5);
  expect(spans.filter(({ parentSpanId }) => parentSpanId === '80f345e18ee169e9')).toHaveLength(1);
});

test.concurrent.each([
  ['W3C', (mine: string) => ({ traceparent: traceparent(mine, '00') })],
  ['Jaeger', (mine: string) => ({ 'uber-trace-id': uberTraceId(mine, '0') })],
])('not sampled by %s: answered, and not recorded', async (_name, headers) => {
  const mine = id();
  const { status, body } = await services.ask('What is a trace?', headers(mine));
  expect(status).toBe(200);
  expect(body).toMatchObject({ traceId: mine, sampled: false });
  expect(body).not.toHaveProperty('traceUrl');
  const later = await services.ask('What is a trace?');
  await findTrace(later.body.traceId, 5);
  expect(await findSpans({ traceId: mine })).toEqual([]);
});

describe('what anybody could send breaks nothing, and destroys no valid traceparent', () => {
  const many = (n: number, entry: (i: number) => string) => Array.from({ length: n }, (_, i) => entry(i));
  test.each<[string, Record<string, string>]>([
    ['baggage: a%20b=1', { baggage: 'a%20b=1' }],
    ['baggage: a%0d%0aX=1', { baggage: 'a%0d%0aX=1' }],
    ['uber-trace-id: zz:zz:0:1', { 'uber-trace-id': 'zz:zz:0:1' }],
    ['uber-trace-id: 0:0:0:1', { 'uber-trace-id': '0:0:0:1' }],
    ['300 uberctx-* headers', Object.fromEntries(many(300, String).map((i) => [`uberctx-k${i}`, 'v']))],
    ['200 baggage entries', { baggage: many(200, (i) => `k${i}=v`).join(',') }],
  ])('%s', async (_name, headers) => {
    const mine = id();
    const { status, body } = await services.ask('What is a trace?', { ...headers, traceparent: traceparent(mine) });
    expect(status).toBe(200);
    expect(body.traceId).toBe(mine);
    expect((await services.ask('What is a trace?', headers)).status).toBe(200);
  });
});

describe('anything that a stranger sends is answered in words by services that go on', () => {
  const runs = { numRuns: 40 };
  const ours = /^(host|connection|content-(type|length)|accept(-.*)?|sec-fetch-mode|user-agent|x-stainless-.*)$/;
  const uuid = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  /** What may go on to the backend, and how it must look. Only tracestate is the stranger's, as W3C wants it. */
  const context: Record<string, RegExp> = {
    traceparent: /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9a-f]$/,
    tracestate: /^[\x20-\x7e]*$/,
    'uber-trace-id': /^[0-9a-f]{1,32}:[0-9a-f]{1,16}:0:0?[0-9a-f]$/,
    baggage: new RegExp(`^session\\.id=${uuid}$`),
    'uberctx-session.id': new RegExp(`^${uuid}$`),
  };
  /** Stands in all that the stranger sends. */
  const mark = makeWord();

  let model: Awaited<ReturnType<typeof startProvider>>;
  /** In front of the backend: writes down what it gets. */
  let recorder: typeof model;
  let services: Services;

  beforeAll(async () => {
    const reply = completion('{"query":"q","joke":"j","text":"t","question":"?"}');
    model = await startProvider((_request, response) => send(response, 200, reply));
    recorder = await startProvider(async ({ headers, body }, response) => {
      const others = Object.entries(headers).filter(([name]) => !/^(host|connection|content-length)$/.test(name));
      const answer = await post(services.backendUrl, body, Object.fromEntries(others) as Record<string, string>);
      send(response, answer.status, answer.body);
    });
    services = await startServices({ env: { ...model.env, BACKEND_URL: recorder.origin } });
  }, 30_000);

  afterAll(async () => {
    for (const each of [services, recorder, model]) await each[Symbol.asyncDispose]();
  });

  // What a header can hold at all: no control characters.
  const value = fc.string({
    unit: fc.constantFrom(...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), 'é', 'ÿ'),
    maxLength: 60,
  });
  const marked = value.map((rest) => mark + rest);
  const nearly = (real: string) => fc.tuple(fc.nat(real.length), value).map(([at, other]) => real.slice(0, at) + other);

  test('headers: the backend gets no more of them than tracestate, the model nothing', async () => {
    const traces: string[] = [];
    const headers = fc.record(
      {
        'uber-trace-id': fc.oneof(value, nearly(uberTraceId(id()))),
        baggage: fc.oneof(marked, nearly(`${mark}=1;p=2,session.id=${mark},b%20=%zz`)),
        tracestate: fc.oneof(marked, nearly(`vendor=${mark},other=1`)),
        'uberctx-a': marked,
        'uberctx-%0d': marked,
        'uberctx-session.id': marked,
        authorization: marked,
        cookie: marked,
        'user-agent': marked,
        'x-forwarded-for': marked,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(headers, fc.oneof(value, nearly(traceparent(id()))), async (others, broken) => {
        const mine = id();
        traces.push(mine);
        const joined = await services.ask('What is a trace?', { ...others, traceparent: traceparent(mine) });
        expect(joined).toMatchObject({ status: 200, body: { traceId: mine } });
        expect((await services.ask('What is a trace?', { ...others, traceparent: broken })).status).toBe(200);
      }),
      runs,
    );

    expect(recorder.requests.length).toBeGreaterThanOrEqual(2 * runs.numRuns);
    for (const request of recorder.requests) {
      for (const [name, text] of Object.entries(request.headers).filter(([each]) => !ours.test(each))) {
        expect(text, `The header ${name}`).toMatch(context[name] ?? 'nothing');
      }
      const { tracestate, ...all } = request.headers;
      expect(JSON.stringify(all)).not.toContain(mark);
    }
    expect(model.requests.length).toBe(recorder.requests.length);
    for (const request of model.requests) {
      const others = Object.entries(request.headers).filter(([name]) => !ours.test(name));
      expect(others).toEqual([['authorization', `Bearer ${model.env.LLM_API_KEY}`]]);
      expect(JSON.stringify(request)).not.toContain(mark);
    }
    // Jaeger gives back each trace whole, and all of them are of the same two processes.
    const instances = new Set<unknown>();
    for (const mine of traces) {
      const spans = await findTrace(mine, 5);
      expect(spans).toHaveLength(5);
      for (const { resource } of spans) instances.add(resource['service.instance.id']);
    }
    expect(instances).toHaveLength(2);
  });

  test('bytes: a header twice, with any bytes in it', async () => {
    const names = fc.constantFrom('traceparent', 'tracestate', 'uber-trace-id', 'baggage', 'uberctx-a', 'cookie', 'x');
    const bytes = fc.uint8Array({ maxLength: 40 }).map((all) => Buffer.from(all.filter((byte) => byte !== 10)));
    await fc.assert(
      fc.asyncProperty(names, bytes, bytes, async (name, one, other) => {
        const lines = [one, other].map((each) => `${name}: ${each.toString('latin1')}\r\n`).join('');
        const socket = connect(Number(new URL(services.url).port), '127.0.0.1');
        const head = 'POST /ask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n';
        socket.write(`${head}Content-Length: 20\r\n${lines}\r\n{"question":"hello"}`, 'latin1');
        const [, status, body = ''] = /^HTTP\/1\.1 (\d+) .*?\r\n\r\n(.*)$/s.exec(await text(socket)) ?? [];
        expectWords({ status: Number(status), body: JSON.parse(body) });
      }),
      runs,
    );
    expect((await services.ask('What is a trace?')).status).toBe(200);
  });

  test('bodies: no JSON, huge, deep, of the wrong type, with keys that pollute, with control characters', async () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 60 });
    const keys = fc.constantFrom('question', 'sessionId', '__proto__', 'constructor', 'prototype', 'toJSON');
    const values = fc.oneof(
      anyText,
      fc.jsonValue(),
      fc.constant({ question: 'polluted', prototype: { question: 'x' } }),
    );
    const body = fc.oneof(
      anyText,
      fc.json(),
      nearly('{"question":"What is a trace?"}'),
      anyText.map((question) => JSON.stringify({ question })),
      fc.constantFrom('{"question":"\\ud800\\u0000\\u202e"}', '\ufeff{"question":"hello"}'),
      fc.nat(200_000).map((length) => JSON.stringify({ question: 'x'.repeat(length) })),
      fc.nat(20_000).map((depth) => `${'{"question":['.repeat(depth)}1${']}'.repeat(depth)}`),
      fc
        .array(fc.tuple(keys, values), { maxLength: 5 })
        .map((entries) => `{${entries.map((entry) => entry.map((each) => JSON.stringify(each)).join(':')).join()}}`),
    );
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        for (const url of [services.url, services.backendUrl]) expectWords(await post(url, sent));
      }),
      { numRuns: 100 },
    );
    for (const url of [services.url, services.backendUrl]) expect((await post(url, {})).status).toBe(400);
    const { body: answer } = await services.ask('What is a trace?');
    expect(answer).toMatchObject({ reply: { text: 't' } });
  });
});

/** Expects a reply, or a refusal that says why in a sentence and shows nothing of the program. */
function expectWords({ status, body }: { status: number; body: object }): void {
  const isReply = status === 200;
  if (!isReply) expect(status).toSatisfy((each: number) => each >= 400 && each < 500);
  expect(body).toMatchObject(
    isReply ? { reply: { text: 't' } } : { error: { message: expect.stringMatching(/\w+ \w+/) } },
  );
  expect(JSON.stringify(body)).not.toMatch(/\.[jt]s:\d|node_modules|\\n +at /);
}
