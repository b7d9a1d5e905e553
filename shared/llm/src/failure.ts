import { APIConnectionError, APIConnectionTimeoutError, APIError } from 'openai';
import { LlmError } from './error.ts';

/** Turns what the client threw into an LlmError; `name` is whom it called, for the message. */
export function toLlmError(error: unknown, name: string): LlmError {
  if (error instanceof LlmError) return error;
  const cause = { cause: error };
  if (error instanceof APIConnectionTimeoutError) {
    return new LlmError(
      'timeout',
      `No answer from ${name} in time. Ask again; LLM_TIMEOUT_MS allows more time.`,
      cause,
    );
  }
  if (error instanceof APIConnectionError) {
    return new LlmError('unavailable', `Cannot reach ${name}. Does it run? Check LLM_BASE_URL.`, cause);
  }
  if (error instanceof APIError && error.status) return fromStatus(error.status, name, cause);
  return new LlmError('malformed_response', `What ${name} answered cannot be read. Check LLM_BASE_URL.`, cause);
}

function fromStatus(status: number, name: string, cause: ErrorOptions): LlmError {
  const http = `(HTTP ${status})`;
  if (status === 429) {
    return new LlmError('rate_limited', `Too many requests for ${name} ${http}. Wait a minute and ask again.`, cause);
  }
  if (status >= 500) {
    return new LlmError('unavailable', `An error inside ${name} ${http}. Ask again, later if it stays.`, cause);
  }
  if (status === 401 || status === 403) {
    return new LlmError('rejected', `The key was refused by ${name} ${http}. Check LLM_API_KEY.`, cause);
  }
  if (status < 400) {
    return new LlmError(
      'rejected',
      `Moved away from ${name} ${http}. Check LLM_BASE_URL: http or https, the path.`,
      cause,
    );
  }
  if (status === 404) {
    return new LlmError('rejected', `Not found at ${name} ${http}. Check LLM_MODEL and LLM_BASE_URL.`, cause);
  }
  return new LlmError('rejected', `The request was refused by ${name} ${http}. Check LLM_MODEL, or ask less.`, cause);
}
