import { metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE, ATTR_SERVER_ADDRESS, ATTR_SERVER_PORT } from '@opentelemetry/semantic-conventions';
import { type Answer, connectLlm, LlmError } from '@workshop/llm';
import * as genAi from '@workshop/llm/semconv';

const tracer = trace.getTracer('llm-app');
const llm = await connectLlm();

const meter = metrics.getMeter('llm-app');
const callDuration = meter.createHistogram(genAi.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, {
  description: 'How long calls to the model take',
  unit: 's',
  advice: { explicitBucketBoundaries: genAi.DURATION_BOUNDARIES },
});
const tokenUsage = meter.createHistogram(genAi.METRIC_GEN_AI_CLIENT_TOKEN_USAGE, {
  description: 'How many tokens calls to the model use',
  unit: '{token}',
  advice: { explicitBucketBoundaries: genAi.TOKEN_BOUNDARIES },
});

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
    const start = performance.now();
    let failure: string | undefined;
    try {
      const answer = await llm.ask(question, { signal });
      span.setAttributes(responseAttributes(answer));
      recordTokens('input', answer.inputTokens);
      recordTokens('output', answer.outputTokens);
      return { ...answer, traceId };
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      failure = error instanceof LlmError ? error.type : error.constructor.name;
      span.setAttribute(ATTR_ERROR_TYPE, failure);
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw Object.assign(error, { traceId });
    } finally {
      const outcome = failure ? { [ATTR_ERROR_TYPE]: failure } : {};
      callDuration.record((performance.now() - start) / 1000, { ...callAttributes, ...outcome });
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

function recordTokens(type: 'input' | 'output', count: number | undefined): void {
  // Not every provider counts tokens.
  if (count !== undefined) tokenUsage.record(count, { ...callAttributes, [genAi.ATTR_GEN_AI_TOKEN_TYPE]: type });
}
