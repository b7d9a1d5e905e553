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

export const ATTR_GEN_AI_TOKEN_TYPE = 'gen_ai.token.type';

/** The value of `gen_ai.operation.name` for a chat completion. */
export const GEN_AI_OPERATION_CHAT = 'chat';

/**
 * Name of the log record of a call that threw: severity WARN, with `exception.*` and `error.type`. In place of a span
 * event: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-exceptions.md
 */
export const EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION = 'gen_ai.client.operation.exception';

/** Histogram of how long calls take, in `s`. */
export const METRIC_GEN_AI_CLIENT_OPERATION_DURATION = 'gen_ai.client.operation.duration';
/** Histogram of what calls use, in `{token}`, by `gen_ai.token.type`: `input` or `output`. */
export const METRIC_GEN_AI_CLIENT_TOKEN_USAGE = 'gen_ai.client.token.usage';

/** Bucket boundaries that the conventions give for the duration, in seconds: doubling. */
export const DURATION_BOUNDARIES = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/** And for the tokens: times four. */
export const TOKEN_BOUNDARIES = [
  1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
];

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
