export type LlmErrorType = 'timeout' | 'rate_limited' | 'unavailable' | 'rejected' | 'malformed_response' | 'cancelled';

/**
 * Why a call gave no reply. `type` goes into telemetry as `error.type`; `message` is for a person: it says what to do and
 * holds neither the key nor a prompt nor anything that the provider wrote. What the provider wrote is in `cause`: never print it.
 */
export class LlmError extends Error {
  override readonly name = 'LlmError';
  readonly type: LlmErrorType;

  constructor(type: LlmErrorType, message: string, options?: ErrorOptions) {
    super(message, options);
    this.type = type;
  }
}
