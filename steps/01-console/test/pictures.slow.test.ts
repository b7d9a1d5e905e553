import { SpanKind } from '@opentelemetry/api';
import { runApp } from '@workshop/testkit/app';
import { spansIn } from '@workshop/testkit/console';
import { expectWaterfall } from '@workshop/testkit/pictures';
import { test } from 'vitest';

test('trace.svg: the span of a question, as the console shows it', async () => {
  const { stdout } = await runApp(['What is the biggest capital city in Asia?']);
  const spans = spansIn(stdout).map(
    ({ traceId, id, parentSpanContext, name, kind, timestamp, duration, resource }) => ({
      traceId,
      spanId: id,
      parentSpanId: parentSpanContext?.spanId,
      name,
      kind: String(SpanKind[kind]),
      startMs: timestamp / 1_000,
      durationMs: duration / 1_000,
      resource: resource.attributes,
    }),
  );
  await expectWaterfall('trace.svg', spans);
});
