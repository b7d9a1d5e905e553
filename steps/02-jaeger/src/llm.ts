import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE, ATTR_SERVER_ADDRESS, ATTR_SERVER_PORT } from '@opentelemetry/semantic-conventions';
import { type Answer, connectLlm, LlmError } from '@workshop/llm';
import * as genAi from '@workshop/llm/semconv';

const tracer = trace.getTracer('llm-app');
const llm = await connectLlm();

/** What is known of every call before it is made. */
const callAttributes = {
  [genAi.ATTR_GEN_AI_OPERATION_NAME]: genAi.GEN_AI_OPERATION_CHAT,
  [genAi.ATTR_GEN_AI_PROVIDER_NAME]: llm.provider,
  [genAi.ATTR_GEN_AI_REQUEST_MODEL]: llm.model,
};
const spanAttributes = {
  ...callAttributes,
  'llm.api.url': llm.url,
  [ATTR_SERVER_ADDRESS]: llm.address,
  [ATTR_SERVER_PORT]: llm.port,
};

/** Asks the model one question inside a span `call_llm_api`. Throws an LlmError; the span records whatever is thrown. */
export async function callLlm(question: string, signal?: AbortSignal): Promise<Answer & { traceId: string }> {
  const attributes = { ...spanAttributes, ...genAi.messageContent('input', question) };
  return tracer.startActiveSpan('call_llm_api', { kind: SpanKind.INTERNAL, attributes }, async (span) => {
    const { traceId } = span.spanContext();
    try {
      const answer = await llm.ask(question, { signal });
      span.setAttributes(responseAttributes(answer));
      return { ...answer, traceId };
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      span.setAttribute(ATTR_ERROR_TYPE, error instanceof LlmError ? error.type : error.constructor.name);
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw Object.assign(error, { traceId });
    } finally {
      span.end();
    }
  });
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
