import { runApp } from '@workshop/testkit/app';
import { appEnv, findTrace } from '@workshop/testkit/backends';
import { repliesIn, traceIdsIn } from '@workshop/testkit/console';
import { expect, test } from 'vitest';

const QUESTION = 'What is the biggest capital city in Asia?';
const HINT = 'no BatchSpanProcessor with an OTLPTraceExporter, or no flushOnExit(sdk), in src/telemetry.ts.';

test('a question becomes one trace in Jaeger', async () => {
  const { stdout, exitCode } = await runApp([QUESTION], { env: appEnv });

  const spans = await findTrace(traceIdsIn(stdout)[0], HINT);
  expect(spans).toHaveLength(1);
  expect(spans[0]).toMatchObject({
    name: 'call_llm_api',
    kind: 'INTERNAL',
    parentSpanId: undefined,
    status: { code: 'UNSET' },
    resource: {
      'service.name': 'llm-app',
      'service.version': '1.0.0',
      'deployment.environment.name': 'workshop',
      'telemetry.sdk.language': 'nodejs',
    },
    attributes: {
      'llm.api.url': expect.stringMatching(/\/v1\/chat\/completions$/),
      'llm.api.response_length': [...JSON.stringify(repliesIn(stdout)[0], null, 2)].length,
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'workshop.embedded',
      'gen_ai.request.model': 'workshop-stand-in',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': expect.any(Number),
      'server.address': '127.0.0.1',
    },
  });
  expect(exitCode).toBe(0);
});
