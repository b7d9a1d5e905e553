import type { Span } from '@workshop/backends/spans';
import { findSpans } from '@workshop/testkit/backends';
import { startServices } from '@workshop/testkit/services';
import { expect, test } from 'vitest';

const QUESTIONS = 100;

test('100 questions at once are 100 complete traces, and no span is in a wrong one', async () => {
  await using services = await startServices({ env: { LLM_LATENCY_MS: '50' } });
  const asked = await Promise.all(Array.from({ length: QUESTIONS }, (_, i) => services.ask(`Question ${i}?`)));
  expect(asked.map(({ status }) => status)).toEqual(asked.map(() => 200));

  const traceIds = new Set(asked.map(({ body }) => body.traceId));
  expect(traceIds).toHaveLength(QUESTIONS);
  const landed = async () =>
    (await Promise.all([...traceIds].map((traceId) => findSpans({ traceId })))).filter(complete);
  await expect.poll(async () => (await landed()).length, { timeout: 20_000, interval: 1_000 }).toBe(QUESTIONS);
});

/** Whether the spans are the chain of one question, each the parent of the next. */
function complete(spans: Span[]): boolean {
  const parents = new Set(spans.map(({ parentSpanId }) => parentSpanId));
  const chained = spans.filter(({ spanId }) => parents.has(spanId));
  return spans.length === 5 && parents.size === 5 && chained.length === 4 && parents.has(undefined);
}
