import type { Span } from '@workshop/backends/spans';
import {
  expectMetricsPage,
  findSeries,
  findSpans,
  findTrace,
  localLane,
  metricsPage,
  promQl,
  tracesUrl,
} from '@workshop/testkit/backends';
import { expectFields, expectKnownNames } from '@workshop/testkit/fields';
import { type Asked, type Services, startServices } from '@workshop/testkit/services';
import { afterAll, expect, test } from 'vitest';

const SPANS = 5;

let services: Services;
let asked: Asked;
let spans: Span[];

afterAll(() => services?.[Symbol.asyncDispose]());

test('both services start, and answer', { tags: 'holds-before' }, async () => {
  services = await startServices({ scraped: true });
  for (const url of [services.url, services.backendUrl]) await fetch(`${url}/health`);
  await expectMetricsPage();
  asked = await services.ask('What is the biggest capital city in Asia?');
  expectFields('The answer', asked, { status: 200, body: { reply: { text: expect.stringContaining('Tokyo') } } });
});

test('one question is one trace through both services', async () => {
  spans = await findTrace(asked.body.traceId, SPANS);
  const byParent = (parent: Span | undefined) => spans.filter(({ parentSpanId }) => parentSpanId === parent?.spanId);
  const chain: Span[] = [];
  for (let [next] = byParent(undefined); next; [next] = byParent(next)) chain.push(next);
  expect(chain.map(describe), 'The spans of the trace, from parent to child').toEqual([
    'frontend SERVER POST /ask',
    'frontend CLIENT POST',
    'backend SERVER POST /ask',
    'backend INTERNAL call_llm_api',
    'backend CLIENT POST',
  ]);
  expect(spans).toHaveLength(SPANS);
});

test('the spans of the requests say which route was taken, and where to', () => {
  const servers = spans.filter(({ kind }) => kind === 'SERVER');
  expect(servers.map(({ attributes }) => attributes['http.route'])).toEqual(['/ask', '/ask']);
  const clients = spans.filter(({ kind }) => kind === 'CLIENT').map(({ attributes }) => attributes['url.full']);
  expect(clients).toContain(`${services.backendUrl}/ask`);
  expect(clients).toContainEqual(expect.stringMatching(/\/v1\/chat\/completions$/));
});

test('the answer names the trace and links the page that shows it', async () => {
  const { traceId, traceUrl } = asked.body;
  expect(traceUrl).toBe(`${tracesUrl}/${localLane ? '#trace=' : 'trace/'}${traceId}`);
  expect((await fetch(String(traceUrl))).status).toBe(200);
});

test('the session travels as baggage, and the span of the call carries it', () => {
  const call = spans.find(({ name }) => name === 'call_llm_api');
  expectFields('The span call_llm_api', call?.attributes, { 'session.id': expect.stringMatching(/^[0-9a-f-]{36}$/) });
});

test('health checks and scrapes make no spans', async () => {
  // They came before the question: what they made would be there by now.
  const all = [...(await findSpans({ service: 'frontend' })), ...(await findSpans({ service: 'backend' }))];
  expect(all.map(describe)).toContain('frontend SERVER POST /ask');
  expect(all.map(describe)).not.toContainEqual(expect.stringMatching(/GET|health|metrics/));
});

test('the metrics of the two services are told apart', { tags: 'holds-before' }, async () => {
  const counts = () => findSeries('gen_ai_client_operation_duration_count', localLane ? {} : { job: 'backend' });
  if (localLane) {
    // The frontend serves on the first port, the backend on the next; the calls are the backend's.
    expect(await metricsPage()).toContain('service_name="frontend"');
    expect(await metricsPage(1)).toContain('service_name="backend"');
    expect(await metricsPage(1)).toMatch(/gen_ai_client_operation_duration_count\{.*\} [1-9]/);
    expect(await metricsPage()).not.toContain('gen_ai_client');
    return;
  }
  await expect.poll(() => promQl('up == 1'), { timeout: 10_000 }).toHaveLength(2);
  await expect.poll(counts, { timeout: 10_000 }).toMatchObject([{ value: expect.any(Number) }]);
  expect(await promQl('gen_ai_client_operation_duration_count{job="frontend"}')).toEqual([]);
});

test('TypeScript knows every name in src/', { tags: 'holds-before' }, expectKnownNames);

function describe({ resource, kind, name }: Span): string {
  return `${resource['service.name']} ${kind} ${name}`;
}
