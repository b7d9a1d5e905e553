/**
 * Names from the OpenTelemetry semantic conventions for generative AI, as of semantic conventions 1.41.
 * They have the status "Development" and no npm package of their own: 1.42 moved them to
 * https://github.com/open-telemetry/semantic-conventions-genai, so the workshop keeps the few it uses here.
 */
import type { Attributes } from '@opentelemetry/api';

export const ATTR_GEN_AI_OPERATION_NAME = 'gen_ai.operation.name';
export const ATTR_GEN_AI_PROVIDER_NAME = 'gen_ai.provider.name';
export const ATTR_GEN_AI_REQUEST_MODEL = 'gen_ai.request.model';
export const ATTR_GEN_AI_RESPONSE_MODEL = 'gen_ai.response.model';
export const ATTR_GEN_AI_RESPONSE_ID = 'gen_ai.response.id';
export const ATTR_GEN_AI_RESPONSE_FINISH_REASONS = 'gen_ai.response.finish_reasons';
export const ATTR_GEN_AI_USAGE_INPUT_TOKENS = 'gen_ai.usage.input_tokens';
export const ATTR_GEN_AI_USAGE_OUTPUT_TOKENS = 'gen_ai.usage.output_tokens';

/** The value of `gen_ai.operation.name` for a chat completion. */
export const GEN_AI_OPERATION_CHAT = 'chat';

/**
 * What was said, as `gen_ai.input.messages` or `gen_ai.output.messages`: a JSON text of the conventions' message schema.
 * Prompts and answers can hold personal data, so this is empty unless
 * `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` is `true`.
 */
export function messageContent(direction: 'input' | 'output', content: string, finishReason?: string): Attributes {
  if (process.env.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT?.toLowerCase() !== 'true') return {};
  const message = {
    role: direction === 'input' ? 'user' : 'assistant',
    parts: [{ type: 'text', content }],
    finish_reason: finishReason,
  };
  return { [`gen_ai.${direction}.messages`]: JSON.stringify([message]) };
}
