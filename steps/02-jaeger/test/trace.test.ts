import { type App, runApp, startApp } from '@workshop/testkit/app';
import { appEnv, findSpans, findTrace, localLane, tracesUrl } from '@workshop/testkit/backends';
import { expectAnswer, repliesIn, traceIdsIn } from '@workshop/testkit/console';
import { expectFields, expectKnownNames } from '@workshop/testkit/fields';
import { afterAll, beforeAll, expect, test } from 'vitest';

const QUESTION = 'What is the biggest capital city in Asia?';
const EXCEPTION = expect.objectContaining({ 'exception.type': 'LlmError' });

let run: Awaited<ReturnType<typeof runApp>>;
let running: App;

beforeAll(async () => {
  running = startApp([], { env: appEnv });
  running.type(`${QUESTION}\n`);
  run = await runApp([QUESTION], { env: appEnv });
});

afterAll(() => running[Symbol.asyncDispose]());

test('the program starts and answers', { tags: 'holds-before' }, () => {
  expectAnswer(run, QUESTION);
});

test('a question becomes one trace in Jaeger', async () => {
  const spans = await findTrace(traceIdsIn(run.stdout)[0]);
  expect(spans.map(({ name }) => name)).toEqual(['call_llm_api']);
});

test('the span says what was called, and whose it is', async () => {
  const [span] = await findTrace(traceIdsIn(run.stdout)[0]);
  expectFields('The span', span, {
    name: 'call_llm_api',
    kind: 'INTERNAL',
    parentSpanId: undefined,
    status: { code: 'UNSET' },
    events: [],
    resource: {
      'service.name': 'llm-app',
      'service.version': '1.0.0',
      'deployment.environment.name': 'workshop',
      'telemetry.sdk.language': 'nodejs',
    },
    attributes: {
      'llm.api.url': expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions$/),
      'llm.api.response_length': [...JSON.stringify(repliesIn(run.stdout)[0], null, 2)].length,
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'workshop.embedded',
      'gen_ai.request.model': 'workshop-stand-in',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': expect.any(Number),
      'gen_ai.usage.output_tokens': expect.any(Number),
      'server.address': '127.0.0.1',
    },
  });
});

test('a failed question becomes a trace with an error', async () => {
  const { stdout } = await runApp([QUESTION], { env: { ...appEnv, LLM_FAULT: 'malformed' } });

  const [span] = await findTrace(traceIdsIn(stdout)[0]);
  expectFields('The span of the failed call', span, {
    status: { code: 'ERROR', message: expect.stringContaining('cannot be read') },
    attributes: { 'error.type': 'malformed_response' },
    events: [expect.objectContaining({ name: 'exception', attributes: EXCEPTION })],
  });
});

test('50 questions become 50 traces', async () => {
  const service = `fifty-${crypto.randomUUID()}`;
  const { stdout } = await runApp([], {
    input: `${QUESTION}\n`.repeat(50),
    env: { ...appEnv, OTEL_SERVICE_NAME: service },
  });

  const asked = traceIdsIn(stdout).sort();
  expect(asked).toHaveLength(50);
  const landed = async () => (await findSpans({ service })).map(({ traceId }) => traceId).sort();
  await expect.poll(landed, { timeout: 10_000, interval: 250 }).toEqual(asked);
});

test('the console stays free for the conversation', () => {
  expect(run.stdout).not.toContain('instrumentationScope');
});

test("the link under the reply leads to the trace, in Jaeger or on the receiver's page", async () => {
  const [, link] = /^Trace: \w+ {2}(\S+)$/m.exec(run.stdout) ?? [];
  const page = localLane ? '#trace=' : 'trace/';
  expect(link, 'The link after "Trace:"').toBe(`${tracesUrl}/${page}${traceIdsIn(run.stdout)[0]}`);
  expect((await fetch(String(link))).status).toBe(200);
});

test.skipIf(localLane)("Jaeger's search finds a failed question by error.type (local lane: another page)", async () => {
  const { stdout } = await runApp([QUESTION], { env: { ...appEnv, LLM_FAULT: 'truncated' } });
  const [traceId] = traceIdsIn(stdout);
  await findTrace(traceId);

  // What the page asks: https://www.jaegertracing.io/docs/latest/architecture/apis
  const query = new URLSearchParams({ service: 'llm-app', tags: '{"error.type":"malformed_response"}' });
  const found = (await (await fetch(`${tracesUrl}/api/traces?${query}`)).json()) as {
    data: { traceID: string }[];
  };
  expect(found.data.map(({ traceID }) => traceID)).toContain(traceId);
});

test('spans are sent every 5 seconds, while the program goes on', async () => {
  expect(await findTrace(traceIdsIn(running.stdout)[0])).toHaveLength(1);
  expect(running.isRunning).toBe(true);
});

test('TypeScript knows every name in src/', { tags: 'holds-before' }, expectKnownNames);
