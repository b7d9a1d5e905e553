// The embedded model: an OpenAI-compatible server on a free loopback port, a process of its own so that its requests make
// no spans in the application. Started by embedded.ts; ends when its parent does.
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChatCompletionRequest, type FixtureResponse, getTextContent, LLMock } from '@copilotkit/aimock';
import { answerTo } from './answers.ts';
import { readSettings } from './settings.ts';

const SLOW_MS = 5_000;
const NEVER_MS = 2 ** 31 - 1;

const { LLM_FAULT, LLM_LATENCY_MS } = readSettings(process.env);

const model = new LLMock({ host: '127.0.0.1', port: 0, journalMaxEntries: 1 });
model.on({ predicate: () => true }, async (request) => {
  await sleep(LLM_LATENCY_MS);
  return respond(lastQuestion(request));
});
const url = await model.start();

// The channel closes when the parent is gone, however it went. Ctrl-C reaches the whole process group: the parent decides.
process.on('disconnect', () => process.exit());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.send?.(url);

async function respond(question: string): Promise<FixtureResponse> {
  const json = JSON.stringify(answerTo(question), null, 2);
  const content = `\`\`\`markdown\n${json}\n\`\`\``;
  switch (LLM_FAULT) {
    case 'rate-limit':
      return { status: 429, error: { message: 'Too many requests', type: 'rate_limit_error' }, retryAfter: 1 };
    case 'server-error':
      return { status: 500, error: { message: 'The model is overloaded', type: 'server_error' } };
    case 'timeout':
      await sleep(NEVER_MS);
      break;
    case 'malformed':
      return { content: content.replaceAll('"', "'") };
    case 'truncated':
      return { content: content.slice(0, content.length / 2), finishReason: 'length' };
    case 'slow':
      await sleep(SLOW_MS);
  }
  return { content };
}

function lastQuestion({ messages }: ChatCompletionRequest): string {
  return getTextContent(messages.findLast(({ role }) => role === 'user')?.content ?? '') ?? '';
}
