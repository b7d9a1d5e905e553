import { runApp } from '@workshop/testkit/app';
import { expectAnswer, repliesIn, spansIn, traceIdsIn } from '@workshop/testkit/console';
import { expectFields, expectKnownNames } from '@workshop/testkit/fields';
import { send, startProvider } from '@workshop/testkit/provider';
import { beforeAll, expect, test } from 'vitest';

const QUESTION = 'What is the biggest capital city in Asia?';
const INTERNAL = 0;
const UNSET = 0;
const ERROR = 2;
const TEXT = expect.any(String);
const EXCEPTION = expect.objectContaining({ 'exception.type': 'LlmError' });

let run: Awaited<ReturnType<typeof runApp>>;

beforeAll(async () => {
  run = await runApp([QUESTION], { env: { LLM_LATENCY_MS: '700' } });
});

test('the program starts and answers', { tags: 'holds-before' }, () => {
  expectAnswer(run, QUESTION);
  expect(repliesIn(run.stdout)).toEqual([
    { query: QUESTION, joke: expect.any(String), text: expect.stringContaining('Tokyo'), question: expect.any(String) },
  ]);
});

test('a question becomes one span on the console', () => {
  const spans = spansIn(run.stdout);
  if (spans.length !== 1) throw new Error(`There are ${spans.length} spans on the console, expected 1.`);
  expectFields('The span', spans[0], {
    name: 'call_llm_api',
    kind: INTERNAL,
    parentSpanContext: undefined,
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    id: expect.stringMatching(/^[0-9a-f]{16}$/),
    status: { code: UNSET },
    events: [],
  });
  expect(run.stdout, 'What stands under the reply').toContain(`Trace: ${spans[0]?.traceId}`);
});

test('the system and the human message are shown before the reply', { tags: 'holds-before' }, () => {
  expect(run.stdout).toMatch(/^System: .*```markdown.*\nHuman: What is the biggest capital city in Asia\?\n.*"joke"/s);
});

test('the span says where the call went, what it cost and how long the answer is', () => {
  const [reply] = repliesIn(run.stdout);
  const [span] = spansIn(run.stdout);
  const expected = {
    'llm.api.url': expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions$/),
    // The embedded model writes its reply as indented JSON into a fence, which does not count.
    'llm.api.response_length': [...JSON.stringify(reply, null, 2)].length,
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'workshop.embedded',
    'gen_ai.request.model': 'workshop-stand-in',
    'gen_ai.response.model': 'workshop-stand-in',
    'gen_ai.response.id': expect.stringMatching(/^chatcmpl-/),
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': expect.any(Number),
    'gen_ai.usage.output_tokens': expect.any(Number),
    'server.address': '127.0.0.1',
    'server.port': Number(/:(\d+)\//.exec(String(span?.attributes['llm.api.url']))?.[1]),
  };
  expectFields('The span', span?.attributes, expected);
  expect(Object.keys(span?.attributes ?? {}).sort(), 'Attributes of the span').toEqual(Object.keys(expected).sort());
  expect(span?.attributes['gen_ai.usage.output_tokens']).toBeGreaterThan(0);
});

test('the span lasts as long as the call', () => {
  const [span] = spansIn(run.stdout);
  expect(Number(span?.duration) / 1000).toBeGreaterThanOrEqual(700);
  expect(Math.abs(Date.now() - Number(span?.timestamp) / 1000)).toBeLessThan(60_000);
});

test('the resource says whose span it is', () => {
  expectFields('The resource', spansIn(run.stdout)[0]?.resource.attributes, {
    'service.name': 'llm-app',
    'service.version': '1.0.0',
    'deployment.environment.name': 'workshop',
    'telemetry.sdk.language': 'nodejs',
  });
});

test('every run is an instance of its own', async () => {
  const { stdout } = await runApp([QUESTION]);

  const ids = [run.stdout, stdout].map((output) => spansIn(output)[0]?.resource.attributes['service.instance.id']);
  const id = expect.stringMatching(/^[0-9a-f-]{36}$/);
  expect(ids, 'service.instance.id of two runs').toEqual([id, id]);
  expect(new Set(ids)).toHaveLength(2);
});

test('two questions are two traces', async () => {
  const { stdout } = await runApp([], { input: `${QUESTION}\nWhat is a trace?\n` });

  const traceIds = spansIn(stdout).map(({ traceId }) => traceId);
  expect(traceIds).toHaveLength(2);
  expect(new Set(traceIds)).toHaveLength(2);
});

test('a failed question is a span with an error, and a message that says what to do', async () => {
  const { stdout, stderr, exitCode } = await runApp([QUESTION], { env: { LLM_FAULT: 'malformed' } });

  const [span] = spansIn(stdout);
  expectFields('The span of the failed call', span, {
    status: { code: ERROR, message: expect.stringContaining('Ask again') },
    attributes: { 'error.type': 'malformed_response' },
    events: [expect.objectContaining({ name: 'exception', attributes: EXCEPTION })],
  });
  expect(stderr).toContain(`No reply (malformed_response): ${span?.status.message}`);
  expect(traceIdsIn(stdout), 'Trace ids below a failed call').toEqual([span?.traceId]);
  expect(exitCode).toBe(1);
});

test('OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the code', async () => {
  const env = {
    OTEL_SERVICE_NAME: 'my-name',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=my-laptop,service.instance.id=mine,team=blue',
  };
  const { stdout } = await runApp([QUESTION], { env });

  expectFields('The resource', spansIn(stdout)[0]?.resource.attributes, {
    'service.name': 'my-name',
    'service.version': '1.0.0',
    'deployment.environment.name': 'my-laptop',
    'service.instance.id': 'mine',
    team: 'blue',
  });
});

test('prompts and answers stay out of the telemetry', async () => {
  const { stdout } = await runApp(['What is my-secret-word?']);

  const telemetry = JSON.stringify(spansIn(stdout));
  expect(telemetry).not.toBe('[]');
  expect(telemetry).not.toContain('my-secret-word');
  expect(telemetry).not.toContain('stand-in for a language model');
});

test('prompts and answers are recorded by those who opt in', async () => {
  const env = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' };
  const { stdout } = await runApp([QUESTION], { env });

  const attributes = spansIn(stdout)[0]?.attributes ?? {};
  expectFields('The span', attributes, { 'gen_ai.input.messages': TEXT, 'gen_ai.output.messages': TEXT });
  expect(JSON.parse(String(attributes['gen_ai.input.messages']))).toEqual([
    { role: 'user', parts: [{ type: 'text', content: QUESTION }] },
  ]);
  expect(JSON.parse(String(attributes['gen_ai.output.messages']))).toEqual([
    {
      role: 'assistant',
      parts: [{ type: 'text', content: expect.stringContaining('Tokyo') }],
      finish_reason: 'stop',
    },
  ]);
});

test('nothing is sent anywhere', async () => {
  await using collector = await startProvider((_request, response) => send(response, 200, {}));
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRIC_EXPORT_INTERVAL: '100',
    OTEL_METRIC_EXPORT_TIMEOUT: '100',
    OTEL_NODE_EXPERIMENTAL_SDK_METRICS: 'true',
    LLM_LATENCY_MS: '500',
  };
  const { stdout } = await runApp([QUESTION], { env });

  expect(spansIn(stdout)).toHaveLength(1);
  const sent = collector.requests.length;
  expect(sent, `${sent} request(s) were sent to a collector, which step 01 does not have`).toBe(0);
});

test('TypeScript knows every name in src/', { tags: 'holds-before' }, expectKnownNames);
