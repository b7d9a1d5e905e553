import { type Answer, connectLlm } from '@workshop/llm';
import * as genAi from '@workshop/llm/semconv';

const llm = await connectLlm();

/** Asks the model one question. Throws an LlmError. */
export async function callLlm(question: string, signal?: AbortSignal): Promise<Answer> {
  return llm.ask(question, { signal });
}

function responseAttributes(answer: Answer) {
  return {
    'llm.api.response_length': answer.responseLength,
    [genAi.ATTR_GEN_AI_RESPONSE_MODEL]: answer.responseModel,
    [genAi.ATTR_GEN_AI_RESPONSE_ID]: answer.responseId,
    [genAi.ATTR_GEN_AI_RESPONSE_FINISH_REASONS]: answer.finishReason && [answer.finishReason],
    [genAi.ATTR_GEN_AI_USAGE_INPUT_TOKENS]: answer.inputTokens,
    [genAi.ATTR_GEN_AI_USAGE_OUTPUT_TOKENS]: answer.outputTokens,
    ...genAi.messageContent('output', JSON.stringify(answer.reply), answer.finishReason),
  };
}
