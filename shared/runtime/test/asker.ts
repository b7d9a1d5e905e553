// A program for prompt.test.ts: a prompt whose questions take 50 ms. Says on stderr which were asked.
import { setTimeout as sleep } from 'node:timers/promises';
import { LlmError } from '@workshop/llm';
import { runPrompt } from '../src/prompt.ts';

await runPrompt(async (question, signal) => {
  console.error(`asked ${question}`);
  await sleep(50, undefined, { signal }).catch((cause) => {
    throw new LlmError('cancelled', 'Cancelled.', { cause });
  });
  return { reply: { query: question, joke: '', text: '', question: '' } };
});
