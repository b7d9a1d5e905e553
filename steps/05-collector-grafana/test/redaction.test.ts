import { findSpans, findTrace, localLane, logsQl, promQl } from '@workshop/testkit/backends';
import { post, startServices } from '@workshop/testkit/services';
import { describe, expect, test } from 'vitest';
import { attributes, hex, nanoseconds, sendOtlp } from './otlp.ts';

const soon = { timeout: 15_000, interval: 250 };

/** What must not be stored anywhere: known by its key, by how it begins, by how it looks. */
const secrets = { behindKey: hex(20), token: `sk-${hex(20)}`, email: `alice.${hex(20)}@example.com` };
const text = `told ${secrets.email} to use ${secrets.token} today`;
const masked = 'told **** to use **** today';

describe.skipIf(localLane)(
  'secrets are masked by the Collector (local lane: there is none)',
  { tags: 'holds-before' },
  () => {
    const traceId = hex(32);
    const resource = { attributes: attributes({ 'service.name': 'planted', 'host.contact': secrets.email }) };
    const scope = { name: 'planted' };
    const planted = attributes({
      note: text,
      'session.id': secrets.email,
      api_key: secrets.behindKey,
      'http.request.header.authorization': [`Bearer ${secrets.behindKey}`],
      'http.request.header.x-note': [text],
      harmless: 'harmless',
    });

    test.concurrent('in spans: attributes, captured headers, exceptions, status, resource', async ({ expect }) => {
      const [start, end] = [nanoseconds(), nanoseconds(1)];
      const exception = {
        name: 'exception',
        timeUnixNano: start,
        attributes: attributes({ 'exception.message': text }),
      };
      const span = {
        ...{ traceId, spanId: hex(16), name: 'planted', kind: 1, startTimeUnixNano: start, endTimeUnixNano: end },
        attributes: planted,
        events: [exception],
        status: { code: 2, message: text },
      };
      await sendOtlp('traces', { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [span] }] }] });

      const [landed] = await findTrace(traceId);
      expect(landed?.attributes).toEqual({
        note: masked,
        'session.id': '****',
        api_key: '****',
        'http.request.header.authorization': '****',
        'http.request.header.x-note': `["${masked}"]`,
        harmless: 'harmless',
      });
      expect(landed?.events[0]?.attributes['exception.message']).toBe(masked);
      expect(landed?.status.message).toBe(masked);
      expectNoSecretIn(landed);
    });

    test.concurrent('in log records: body and attributes', async ({ expect }) => {
      const record = {
        ...{ timeUnixNano: nanoseconds(), severityNumber: 17, traceId },
        body: { stringValue: text },
        attributes: planted,
      };
      await sendOtlp('logs', { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: [record] }] }] });

      const landed = () => logsQl(`trace_id:="${traceId}"`);
      await expect.poll(landed, { ...soon, message: 'Log records of the trace' }).toHaveLength(1);
      const [stored] = await landed();
      expect(stored).toMatchObject({
        body: masked,
        attributes: { note: masked, api_key: '****', harmless: 'harmless' },
      });
      expectNoSecretIn(stored);
    });

    test.concurrent('in metrics: attributes of measurements', async ({ expect }) => {
      const name = `planted_${hex(8)}`;
      const point = { timeUnixNano: nanoseconds(), asInt: '1', attributes: planted };
      const metric = { name, sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point] } };
      await sendOtlp('metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: [metric] }] }] });

      const landed = () => promQl(`${name}_total`);
      await expect.poll(landed, { ...soon, message: 'Series of the metric' }).toHaveLength(1);
      const [series] = await landed();
      expect(series?.labels).toMatchObject({ note: masked, session_id: '****', api_key: '****', harmless: 'harmless' });
      expectNoSecretIn(series);
    });

    test.concurrent('that a user typed, or sent as the session', async ({ expect }) => {
      await using services = await startServices({
        env: { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' },
      });
      const baggage = `session.id=${encodeURIComponent(secrets.email)}`;
      const traceId = crypto.randomUUID().replaceAll('-', '');
      const traceparent = `00-${traceId}-80f345e18ee169e9-01`;
      await post(services.backendUrl, { question: text }, { baggage, traceparent });
      services.app.signal('SIGTERM'); // so that it is sent now

      const spans = await findTrace(traceId, 3);
      const call = spans.find(({ name }) => name === 'call_llm_api');
      expect(call?.attributes).toMatchObject({
        'session.id': '****',
        'gen_ai.input.messages': expect.stringContaining(masked),
      });
      expectNoSecretIn(await findSpans({ traceId }));
    });
  },
);

function expectNoSecretIn(landed: unknown): void {
  const found = Object.entries(secrets).filter(([, secret]) => JSON.stringify(landed).includes(secret));
  expect(
    found.map(([kind]) => kind),
    'Secrets that landed',
  ).toEqual([]);
}
