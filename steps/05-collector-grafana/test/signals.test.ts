import type { Span } from '@workshop/backends/spans';
import {
  arrived,
  findLogs,
  findSeries,
  findSpans,
  findTrace,
  localLane,
  prometheus,
  receivedMetric,
} from '@workshop/testkit/backends';
import { expectFields, expectKnownNames } from '@workshop/testkit/fields';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { type Asked, startServices } from '@workshop/testkit/services';
import { afterAll, describe, expect, test } from 'vitest';
import { attributes, hex, nanoseconds, sendOtlp } from './otlp.ts';

/** Prometheus scrapes every second, and the Collector makes metrics of spans every three. */
const soon = { timeout: 15_000, interval: 250 };
const RECORDS = 'Log records of the trace';
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const SECRET_QUESTION = `What is ${crypto.randomUUID()}?`;
// A model of its own, so that no other test's series are counted.
const model = `model-${crypto.randomUUID()}`;
const ofModel = { gen_ai_request_model: model };

// Not a word of hexadecimal digits: the model's random name would contain it now and then.
const provider = await startProvider(({ body }, response) => {
  send(response, 200, completion(JSON.stringify(body).includes('poor') ? 'no JSON' : REPLY));
});
let answered: Asked;
let failed: Asked;

afterAll(() => provider[Symbol.asyncDispose]());

test('both services start, and answer', { tags: 'holds-before' }, async () => {
  [answered, failed] = await askBoth();
  expect([answered.status, failed.status], 'HTTP status of a good and of a bad question').toEqual([200, 502]);
});

test('traces: one question is one trace through both services', { tags: 'holds-before' }, async () => {
  const spans = await findTrace(answered.body.traceId, 5);

  const byParent = (parent: Span | undefined) => spans.filter(({ parentSpanId }) => parentSpanId === parent?.spanId);
  const chain: Span[] = [];
  for (let [next] = byParent(undefined); next; [next] = byParent(next)) chain.push(next);
  expect(spans).toHaveLength(5);
  expect(chain.map(nameOf), 'The spans of the trace, from parent to child').toEqual([
    'frontend SERVER POST /ask',
    'frontend CLIENT POST',
    'backend SERVER POST /ask',
    'backend INTERNAL call_llm_api',
    'backend CLIENT POST',
  ]);
});

describe('logs: one record for each call, in its trace', () => {
  test('of an answer, without the prompt', async () => {
    await expect.poll(() => findLogs(answered.body.traceId), { ...arrived, message: RECORDS }).toHaveLength(1);
    const [record] = await findLogs(answered.body.traceId);
    expectFields('The log record of the answer', record, {
      service: 'backend',
      body: 'The model answered.',
      severityNumber: 9,
      severityText: 'INFO',
      attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': model },
    });
    expect(JSON.stringify(record)).not.toContain(SECRET_QUESTION);
  });

  test('of a failure, with the exception: there and nowhere else', async () => {
    await expect.poll(() => findLogs(failed.body.traceId), { ...arrived, message: RECORDS }).toHaveLength(1);
    const [record] = await findLogs(failed.body.traceId);
    const message = expect.stringContaining("The model's answer cannot be read");
    expectFields('The log record of the failure', record, {
      service: 'backend',
      body: message,
      severityNumber: 13,
      severityText: 'WARN',
      attributes: {
        'error.type': 'malformed_response',
        'exception.type': 'LlmError',
        'exception.message': message,
      },
    });

    const spans = await findTrace(failed.body.traceId, 5);
    const call = spans.find(({ name }) => name === 'call_llm_api');
    const attributes = { 'error.type': 'malformed_response' };
    expectFields('The span of the failed call', call, { status: { code: 'ERROR' }, attributes });
    expect(call?.events, 'Events of the span').toEqual([]);
  });
});

test.skipIf(localLane)('logs: a failure has an event name (local lane: its receiver keeps none)', async () => {
  const eventNames = async () => (await findLogs(failed.body.traceId)).map(({ eventName }) => eventName);
  await expect.poll(eventNames, { ...arrived, message: 'Event names' }).toEqual(['gen_ai.client.operation.exception']);
});

describe('metrics: every call is counted, by what came of it', () => {
  test.skipIf(localLane)('in Prometheus, with the unit in the name (local lane: there is none)', async () => {
    await expect
      .poll(() => valuesOf('gen_ai_client_operation_duration_seconds_count'), {
        ...soon,
        message: 'Calls by error.type',
      })
      .toEqual({ '': 1, malformed_response: 1 });
    const [series] = await findSeries('gen_ai_client_operation_duration_seconds_count', ofModel);
    expect(series?.labels).toMatchObject({ job: 'backend', gen_ai_provider_name: 'openai' });
    const tokens = await findSeries('gen_ai_client_token_usage_sum', ofModel);
    expect(Object.fromEntries(tokens.map(({ labels, value }) => [labels.gen_ai_token_type, value]))).toEqual({
      input: 11,
      output: 22,
    });
  });

  test.skipIf(localLane)(
    'again by the Collector, from the spans (local lane: there is none)',
    { tags: 'holds-before' },
    async () => {
      await expect
        .poll(() => valuesOf('traces_span_metrics_calls_total'), { ...soon, message: 'Calls by error.type' })
        .toEqual({ '': 1, malformed_response: 1 });
      const [sum] = await findSeries('traces_span_metrics_duration_seconds_sum', ofModel);
      expect(sum?.labels).toMatchObject({ service_name: 'backend', span_name: 'call_llm_api' });
    },
  );

  test.skipIf(localLane)(
    'and a bucket names a trace that is in Jaeger (local lane: there is none)',
    { tags: 'holds-before' },
    async () => {
      type Exemplars = { exemplars: { labels: { trace_id: string } }[] }[];
      const query = `traces_span_metrics_duration_seconds_bucket{gen_ai_request_model="${model}"}`;
      const now = Date.now() / 1000;
      const range = new URLSearchParams({ query, start: String(now - 300), end: String(now + 60) });
      const traceIds = async () =>
        (await prometheus<Exemplars>(`query_exemplars?${range}`))
          .flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id))
          .sort();
      let both = [answered, failed];
      const named = (timeout: number) =>
        expect
          .poll(traceIds, { ...soon, timeout, message: 'Traces that a bucket names' })
          .toEqual(expect.arrayContaining(both.map(({ body }) => body.traceId)));
      // A bucket names a trace for 3 s only. Where Prometheus has missed that, both are asked once more.
      await named(5_000).catch(async () => {
        both = await askBoth();
        await named(10_000);
      });
      for (const { body } of both) await findTrace(body.traceId, 5);
    },
  );

  test.skipIf(localLane)(
    'log records too, by service and severity (local lane: there is no Collector)',
    { tags: 'holds-before' },
    async () => {
      const service = `counted-${hex(8)}`;
      for (const batch of [0, 1, 2]) await sendRecords(service, ['INFO', 'INFO', 'WARN'], batch);
      const counts = async () => {
        const series = await findSeries('log_records_total', { service_name: service });
        return Object.fromEntries(series.map(({ labels, value }) => [labels.severity, value]));
      };
      await expect.poll(counts, { ...soon, message: 'Log records by severity' }).toEqual({ INFO: 6, WARN: 3 });
    },
  );

  test.skipIf(!localLane)('as they leave the program (containers: Prometheus is asked)', async () => {
    const seriesOf = async (name: string) =>
      (await receivedMetric(name)).filter(({ attributes }) => attributes['gen_ai.request.model'] === model);
    await expect
      .poll(() => seriesOf('gen_ai.client.operation.duration'), { ...arrived, message: 'Series of the duration' })
      .toHaveLength(2);
    const durations = await seriesOf('gen_ai.client.operation.duration');
    expect(durations.map(({ service, unit, points }) => [service, unit, points.at(-1)?.count])).toEqual([
      ['backend', 's', 1],
      ['backend', 's', 1],
    ]);
    expect(durations.map(({ attributes }) => attributes['error.type'])).toContain('malformed_response');
    const tokens = await seriesOf('gen_ai.client.token.usage');
    expect(tokens.map(({ points }) => points.at(-1)?.sum).sort()).toEqual([11, 22]);
  });
});

test.skipIf(localLane)(
  'health checks are dropped by the Collector (local lane: there is none)',
  { tags: 'holds-before' },
  async () => {
    // They came before the question.
    await findTrace(answered.body.traceId, 5);
    const names = [...(await findSpans({ service: 'frontend' })), ...(await findSpans({ service: 'backend' }))].map(
      nameOf,
    );
    expect(names).toContain('frontend SERVER POST /ask');
    expect(names.filter((name) => name.includes('/health'))).toEqual([]);
    expect(await findSeries('traces_span_metrics_calls_total', { span_name: 'GET /health' })).toEqual([]);
    expect(await findSeries('http_server_request_duration_seconds_count', { http_route: '/health' })).toEqual([]);
  },
);

test('TypeScript knows every name in src/', { tags: 'holds-before' }, expectKnownNames);

/** Asks a good and a bad question of services that have ended by then: so all is sent at once, and not in 5 seconds. */
async function askBoth(): Promise<[Asked, Asked]> {
  await using services = await startServices({ env: { ...provider.env, LLM_MODEL: model } });
  // Before the questions: what they leave would be there by the time those have landed.
  for (const url of [services.url, services.backendUrl]) await fetch(`${url}/health`);
  const asked: [Asked, Asked] = [await services.ask(SECRET_QUESTION), await services.ask('poor')];
  services.app.signal('SIGTERM');
  await services.app.ended;
  return asked;
}

/** Sends a log record of each severity, later than those of the batch before. */
async function sendRecords(service: string, severities: string[], batch: number): Promise<void> {
  const resource = { attributes: attributes({ 'service.name': service }) };
  const logRecords = severities.map((severityText) => ({ timeUnixNano: nanoseconds(batch), severityText }));
  await sendOtlp('logs', { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
}

/** A metric of the model's calls, by `error.type`: empty for those that succeeded. */
async function valuesOf(metric: string): Promise<Record<string, number>> {
  const series = await findSeries(metric, ofModel);
  return Object.fromEntries(series.map(({ labels, value }) => [labels.error_type ?? '', value]));
}

function nameOf({ resource, kind, name }: Span): string {
  return `${resource['service.name']} ${kind} ${name}`;
}
