import { z } from 'zod';
import { LlmError } from './error.ts';
import { type Reply, readReply } from './reply.ts';

export type Answer = {
  reply: Reply;
  /** Code points of the model's text, the fence removed. */
  responseLength: number;
  responseModel: string | undefined;
  responseId: string | undefined;
  finishReason: string | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
};

/** What is read of a chat completion. Providers leave out all but the text. */
const Completion = z.object({
  choices: z.tuple(
    [z.object({ message: z.object({ content: z.string() }), finish_reason: z.string().nullish() })],
    z.unknown(),
  ),
  id: z.string().nullish(),
  model: z.string().nullish(),
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }).nullish().catch(undefined),
});

/** Reads the body of a provider's answer. Throws an LlmError `malformed_response`. */
export function readCompletion(body: unknown): Answer {
  const parsed = Completion.safeParse(body);
  if (!parsed.success) {
    const message = 'What answered is no chat completion with a text. Check LLM_BASE_URL and LLM_MODEL.';
    throw new LlmError('malformed_response', message, { cause: parsed.error });
  }
  const { choices, id, model, usage } = parsed.data;
  return {
    ...readReply(choices[0].message.content),
    responseModel: model ?? undefined,
    responseId: id ?? undefined,
    finishReason: choices[0].finish_reason ?? undefined,
    inputTokens: usage?.prompt_tokens,
    outputTokens: usage?.completion_tokens,
  };
}
