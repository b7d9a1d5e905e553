import { metrics, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE, ATTR_SERVER_ADDRESS, ATTR_SERVER_PORT } from '@opentelemetry/semantic-conventions';
import { type Answer, connectLlm, LlmError } from '@workshop/llm';
import * as genAi from '@workshop/llm/semconv';
import { outside } from './propagation.ts';

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

/** Asks the model one question inside a span `call_llm_api`. Throws an LlmError, recorded on the span. */
export async function callLlm(question: string, signal?: AbortSignal): Promise<Answer & { traceId: string }> {
  const options = {
    kind: SpanKind.INTERNAL,
    attributes: {
      ...callAttributes,
      'llm.api.url': llm.url,
      'session.id': propagation.getActiveBaggage()?.getEntry('session.id')?.value,
      [ATTR_SERVER_ADDRESS]: llm.address,
      [ATTR_SERVER_PORT]: llm.port,
      ...genAi.messageContent('input', question),
    },
  };
  return tracer.startActiveSpan('call_llm_api', options, async (span) => {
    const { traceId } = span.spanContext();
    const start = performance.now();
    const durationAttributes: Record<string, string> = { ...callAttributes };
    try {
      const answer = await outside(() => llm.ask(question, { signal }));
      span.setAttributes({
        'llm.api.response_length': answer.responseLength,
        [genAi.ATTR_GEN_AI_RESPONSE_MODEL]: answer.responseModel,
        [genAi.ATTR_GEN_AI_RESPONSE_ID]: answer.responseId,
        [genAi.ATTR_GEN_AI_RESPONSE_FINISH_REASONS]: answer.finishReason && [answer.finishReason],
        [genAi.ATTR_GEN_AI_USAGE_INPUT_TOKENS]: answer.inputTokens,
        [genAi.ATTR_GEN_AI_USAGE_OUTPUT_TOKENS]: answer.outputTokens,
        ...genAi.messageContent('output', JSON.stringify(answer.reply), answer.finishReason),
      });
      recordTokens('input', answer.inputTokens);
      recordTokens('output', answer.outputTokens);
      return { ...answer, traceId };
    } catch (error) {
      if (!(error instanceof LlmError)) throw error;
      span.setAttribute(ATTR_ERROR_TYPE, error.type);
      durationAttributes[ATTR_ERROR_TYPE] = error.type;
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw Object.assign(error, { traceId });
    } finally {
      callDuration.record((performance.now() - start) / 1000, durationAttributes);
      span.end();
    }
  });
}

function recordTokens(type: 'input' | 'output', count: number | undefined): void {
  // Not every provider counts.
  if (count !== undefined) tokenUsage.record(count, { ...callAttributes, [genAi.ATTR_GEN_AI_TOKEN_TYPE]: type });
}
