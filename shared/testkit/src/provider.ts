import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type ProviderRequest = { headers: IncomingHttpHeaders; body: Record<string, unknown> };

/** Starts an OpenAI-compatible server on a free loopback port; `respond` answers POST /v1/chat/completions. */
export async function startProvider(respond: (request: ProviderRequest, response: ServerResponse) => void) {
  const requests: ProviderRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const request = { headers: incoming.headers, body: JSON.parse(await text(incoming)) };
    requests.push(request);
    respond(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    /** What it was asked, in order. */
    requests,
    port,
    origin: `http://127.0.0.1:${port}`,
    env: { LLM_BASE_URL: `http://127.0.0.1:${port}/v1`, LLM_MODEL: 'test-model', LLM_API_KEY: 'sk-secret-of-the-test' },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Sends `body`, as JSON unless it is a text. */
export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const isText = typeof body === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json', ...headers });
  response.end(isText ? body : JSON.stringify(body));
}

/** A chat completion with `content` as the model's text. */
export function completion(content: string) {
  return {
    id: 'chatcmpl-test',
    object: 'chat.completion',
    created: 0,
    model: 'test-model-2026',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 },
  };
}
