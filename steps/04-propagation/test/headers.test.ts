import { trace } from '@opentelemetry/api';
import { expectFields } from '@workshop/testkit/fields';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { type Services, startServices } from '@workshop/testkit/services';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const TRACE_ID = '80f345e18ee169e90ae2a009f8eb3ef9';
const SPAN_ID = '80f345e18ee169e9';
const TEXT = expect.any(String);
const CONTEXT_HEADER = /^(traceparent|tracestate|baggage|uber-trace-id|uberctx-.*)$/;

describe('from service to service', () => {
  let recorder: Awaited<ReturnType<typeof startProvider>>;
  let services: Services;

  beforeAll(async () => {
    recorder = await startProvider((_request, response) => send(response, 200, { reply: {} }));
    services = await startServices({ env: { BACKEND_URL: recorder.origin } });
  }, 30_000);

  afterAll(async () => {
    await services[Symbol.asyncDispose]();
    await recorder[Symbol.asyncDispose]();
  });

  test('the context travels in all formats, with the same ids, and baggage of ours alone', async () => {
    const { body } = await services.ask('hello', { baggage: 'theirs=1', 'uberctx-theirs': '1' });

    const headers = recorder.requests.at(-1)?.headers ?? {};
    expectFields('The request to the backend', headers, { traceparent: TEXT, 'uber-trace-id': TEXT, baggage: TEXT });
    const [, traceId, spanId, flags] = String(headers.traceparent).split('-');
    expect(traceId).toBe(body.traceId);
    expect(trace.isSpanContextValid({ traceId: String(traceId), spanId: String(spanId), traceFlags: 1 })).toBe(true);
    expect(flags).toBe('01');
    // Jaeger writes numbers without leading zeros.
    expect(String(headers['uber-trace-id']).split(':').map(pad)).toEqual([traceId, spanId, '0', '1'].map(pad));
    const [, sessionId] = /^session\.id=([0-9a-f-]{36})$/.exec(String(headers.baggage)) ?? [];
    expect(headers['uberctx-session.id']).toBe(sessionId);
    expect(Object.keys(headers)).not.toContain('uberctx-theirs');
  });

  test.each([
    ['sampled', '01'],
    ['not sampled', '00'],
  ])('a request that is %s stays so', async (_name, flags) => {
    await services.ask('hello', { traceparent: `00-${TRACE_ID}-${SPAN_ID}-${flags}` });

    expect(recorder.requests.at(-1)?.headers.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-${flags}$`));
  });

  test('tracestate goes on to the backend as it came', async () => {
    await services.ask('hello', { traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: 'vendor=1' });

    expect(recorder.requests.at(-1)?.headers.tracestate).toBe('vendor=1');
  });

  test.each([
    ['two ids of zeros', '0:0:0:1'],
    ['ids that are no numbers', 'zz:zz:0:1'],
  ])('a broken uber-trace-id, %s, does not destroy a valid traceparent', async (_name, broken) => {
    const traceparent = `00-${TRACE_ID}-${SPAN_ID}-01`;
    const { status, body } = await services.ask('hello', { traceparent, 'uber-trace-id': broken });

    expect(status).toBe(200);
    expect(body.traceId, 'The trace that goes on').toBe(TRACE_ID);
  });
});

test('to the model no context travels: not on retries, not when unsampled, not from baggage', {
  tags: 'holds-before',
}, async () => {
  let requests = 0;
  await using provider = await startProvider((_request, response) => {
    requests += 1;
    if (requests === 1) send(response, 503, {}, { 'retry-after-ms': '1' });
    else send(response, 200, completion(REPLY));
  });
  await using services = await startServices({ env: provider.env });
  const baggage = { baggage: 'secret=1', 'uberctx-secret': '1' };
  expect((await services.ask('hello', baggage)).status).toBe(200);
  expect((await services.ask('hello', { traceparent: `00-${TRACE_ID}-${SPAN_ID}-00` })).status).toBe(200);

  expect(provider.requests).toHaveLength(3);
  const names = provider.requests.flatMap(({ headers }) => Object.keys(headers));
  expect(names).toContain('authorization');
  expect(
    names.filter((name) => CONTEXT_HEADER.test(name)),
    'Headers to the model',
  ).toEqual([]);
});

function pad(id: string | undefined): string {
  return String(id).padStart(32, '0');
}
