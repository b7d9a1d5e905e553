import { findSpans, findTrace } from '@workshop/testkit/backends';
import { type Services, startServices } from '@workshop/testkit/services';
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

  test('anything (40 random sets of headers)', async () => {
    // What a header can hold at all: no control characters.
    const value = fc.string({
      unit: fc.constantFrom(...many(95, (i) => String.fromCharCode(32 + i)), 'é', 'ÿ'),
      maxLength: 60,
    });
    const nearly = (real: string) =>
      fc.tuple(fc.nat(real.length), value).map(([at, other]) => real.slice(0, at) + other);
    const headers = fc.record(
      {
        'uber-trace-id': fc.oneof(value, nearly(uberTraceId(id()))),
        baggage: fc.oneof(value, nearly('a=1;p=2,b%20=%zz')),
        tracestate: fc.oneof(value, nearly('vendor=value,other=1')),
        'uberctx-a': value,
        'uberctx-%0d': value,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(headers, fc.oneof(value, nearly(traceparent(id()))), async (others, broken) => {
        const mine = id();
        const joined = await services.ask('What is a trace?', { ...others, traceparent: traceparent(mine) });
        expect(joined).toMatchObject({ status: 200, body: { traceId: mine } });
        expect((await services.ask('What is a trace?', { ...others, traceparent: broken })).status).toBe(200);
      }),
      { numRuns: 40 },
    );
  });
});
