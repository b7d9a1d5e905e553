import { setTimeout as sleep } from 'node:timers/promises';
import { completion, type ProviderRequest, send, startProvider } from '@workshop/testkit/provider';
import { expect, test } from 'vitest';
import { connectLlm, LlmError } from '../src/llm.ts';
import { providerOf } from '../src/provider.ts';

const reply = { query: 'q', joke: 'j', text: 't', question: '?' };
const good = completion(`\`\`\`markdown\n${JSON.stringify(reply)}\n\`\`\``);

/** Asks a provider that answers with `respond`; returns the answer or the error, and what was requested. */
async function ask(
  respond: Parameters<typeof startProvider>[0],
  env: Record<string, string> = {},
  signal?: AbortSignal,
) {
  await using provider = await startProvider(respond);
  const llm = await connectLlm({ ...provider.env, ...env });
  const outcome = await llm.ask('What is a trace?', { signal }).catch((error: unknown) => error);
  return { llm, outcome, requests: provider.requests, secret: provider.env.LLM_API_KEY };
}

test('a provider with response_format is held to the schema, and its answer read', async () => {
  const { llm, outcome, requests, secret } = await ask((_request, response) => send(response, 200, good));

  expect(outcome).toEqual({
    reply,
    responseLength: JSON.stringify(reply).length,
    responseModel: 'test-model-2026',
    responseId: 'chatcmpl-test',
    finishReason: 'stop',
    inputTokens: 11,
    outputTokens: 22,
  });
  expect(llm).toMatchObject({ address: '127.0.0.1', provider: 'openai', model: 'test-model' });
  expect(llm.url).toBe(`http://127.0.0.1:${llm.port}/v1/chat/completions`);
  expect(requests).toHaveLength(1);
  expect(requests[0]?.headers.authorization).toBe(`Bearer ${secret}`);
  expect(requests[0]?.body).toMatchObject({
    model: 'test-model',
    messages: [{ role: 'system' }, { role: 'user', content: 'What is a trace?' }],
    response_format: { type: 'json_schema', json_schema: { schema: { required: Object.keys(reply) } } },
  });
});

test('a provider without response_format is asked once more without it, and not again with it', async () => {
  await using provider = await startProvider(({ body }, response) => {
    if (body.response_format) send(response, 400, { error: { message: "'response_format' is not supported" } });
    else send(response, 200, good);
  });
  const llm = await connectLlm(provider.env);
  await llm.ask('one');
  await llm.ask('two');

  expect(provider.requests.map(({ body }) => Boolean(body.response_format))).toEqual([true, false, false]);
});

test('any other 400 is not asked again', async () => {
  const { outcome, requests } = await ask((_request, response) => send(response, 400, { error: { message: 'no' } }));
  expect(outcome).toMatchObject({ type: 'rejected', message: expect.stringContaining('(HTTP 400)') });
  expect(requests).toHaveLength(1);
});

test('a missing id, model, usage and finish reason are tolerated', async () => {
  const bare = { choices: [{ message: { content: JSON.stringify(reply) } }] };
  const { outcome } = await ask((_request, response) => send(response, 200, bare));
  expect(outcome).toEqual({
    reply,
    responseLength: JSON.stringify(reply).length,
    responseModel: undefined,
    responseId: undefined,
    finishReason: undefined,
    inputTokens: undefined,
    outputTokens: undefined,
  });
});

test.each([
  [401, 'rejected', 'LLM_API_KEY', 1],
  [404, 'rejected', 'LLM_MODEL', 1],
  [413, 'rejected', 'ask less', 1],
  [429, 'rate_limited', 'Wait', 3],
  [500, 'unavailable', 'Ask again', 3],
  [503, 'unavailable', 'Ask again', 3],
])('HTTP %i is %s, advises (%s), and is tried %i times; the key is not in it', async (status, type, advice, tries) => {
  const { outcome, requests, secret } = await ask((request, response) => {
    const message = `Incorrect API key provided: ${keyOf(request)}`;
    send(response, status, { error: { message, code: keyOf(request) } }, { 'retry-after-ms': '1' });
  });
  expect(outcome).toBeInstanceOf(LlmError);
  expect(outcome).toMatchObject({ type, message: expect.stringContaining(advice), cause: expect.any(Error) });
  expect((outcome as LlmError).stack).not.toContain(secret);
  expect(requests).toHaveLength(tries);
});

test('a key that the provider repeats in an answer is masked; a word that stands for a key is not', async () => {
  const answerTo = (key: string) =>
    ask(
      (_request, response) => {
        const text = JSON.stringify({ ...reply, text: `Your key: ${key}` });
        send(response, 200, { ...completion(text), id: `chatcmpl-${key}`, model: key });
      },
      { LLM_API_KEY: key },
    );
  const key = crypto.randomUUID();
  expect((await answerTo(key)).outcome).toMatchObject({
    reply: { ...reply, text: 'Your key: ****' },
    responseModel: '****',
    responseId: 'chatcmpl-****',
  });
  expect((await answerTo('ollama')).outcome).toMatchObject({ reply: { text: 'Your key: ollama' } });
});

test('a redirect is not followed: neither the question nor the key goes elsewhere', async () => {
  await using elsewhere = await startProvider((_request, response) => send(response, 200, good));
  const location = `${elsewhere.origin}/v1/chat/completions`;
  const { outcome, requests } = await ask((_request, response) => send(response, 307, '', { location }));

  expect(outcome).toMatchObject({ type: 'rejected', message: expect.stringContaining('(HTTP 307)') });
  expect(requests).toHaveLength(1);
  expect(elsewhere.requests).toEqual([]);
});

test.each([
  ['HTML', (): unknown => '<html><body>Sign in</body></html>'],
  ['another JSON', (): unknown => ({ hello: 'world' })],
  ['no choice', (): unknown => ({ ...good, choices: [] })],
  ['no text', (): unknown => completion(null as unknown as string)],
  ['5 MB', (): unknown => completion(JSON.stringify({ ...reply, text: 'x'.repeat(5_000_000) }))],
])('%s instead of a reply is a malformed_response', async (_name, body) => {
  const { outcome } = await ask((_request, response) => send(response, 200, body()));
  expect(outcome).toMatchObject({ name: 'LlmError', type: 'malformed_response' });
});

test('a body that says JSON and is none is a malformed_response', async () => {
  const { outcome } = await ask((_request, response) => {
    send(response, 200, '{"choices": [', { 'content-type': 'application/json' });
  });
  expect(outcome).toMatchObject({ name: 'LlmError', type: 'malformed_response' });
});

test('a connection that hangs before or in the middle of the answer is a timeout', async () => {
  const env = { LLM_TIMEOUT_MS: '500' };
  const silent = await ask(() => {}, env);
  const stalled = await ask((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"choices":');
  }, env);
  for (const { outcome } of [silent, stalled]) {
    expect(outcome).toMatchObject({ type: 'timeout', message: expect.stringContaining('within 0.5 s') });
  }
});

test('a pause that the provider asks for does not outlast the time-out', async () => {
  const { outcome } = await ask((_request, response) => send(response, 429, {}, { 'retry-after': '50' }), {
    LLM_TIMEOUT_MS: '500',
  });
  expect(outcome).toMatchObject({ type: 'timeout' });
});

test('nothing at the address, or a connection that breaks, is unavailable', async () => {
  const broken = await ask((_request, response) => response.socket?.destroy());
  expect(broken.outcome).toMatchObject({
    type: 'unavailable',
    message: expect.stringContaining('Cannot reach 127.0.0.1'),
  });
  // The provider of the first call is gone by now.
  expect(await broken.llm.ask('hello').catch((error: unknown) => error)).toMatchObject({ type: 'unavailable' });
});

test('a signal cancels, during a call and during the pause before a retry', async () => {
  const during = await ask(() => {}, {}, AbortSignal.timeout(200));
  const between = await ask(
    (_request, response) => send(response, 503, {}, { 'retry-after': '50' }),
    {},
    AbortSignal.timeout(200),
  );
  const before = await ask((_request, response) => send(response, 200, good), {}, AbortSignal.abort());
  for (const { outcome } of [during, between, before]) expect(outcome).toMatchObject({ type: 'cancelled' });
  expect(before.requests).toHaveLength(0);
});

test('an answer in time is not touched by the time-out', async () => {
  const { outcome } = await ask(
    async (_request, response) => {
      await sleep(200);
      send(response, 200, good);
    },
    { LLM_TIMEOUT_MS: '2000' },
  );
  expect(outcome).toMatchObject({ reply });
});

test.each([
  ['api.openai.com', 'openai'],
  ['api.groq.com', 'groq'],
  ['my-company.openai.azure.com', 'azure.ai.openai'],
  ['notgroq.com', 'openai'],
  ['localhost', 'openai'],
])('the provider at %s is %s', (host, provider) => {
  expect(providerOf(host)).toBe(provider);
});

function keyOf(request: ProviderRequest): string {
  return String(request.headers.authorization).replace('Bearer ', '');
}
