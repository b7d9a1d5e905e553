import { type Context, context, isValidTraceId, TraceFlags, trace } from '@opentelemetry/api';

/**
 * `run` calls a function and notes the spans that become active in it; `isSampled` tells it by the trace id. A lesson
 * then returns no more than that id.
 */
export function noteSpans() {
  const notSampled = new Set<string>();

  function noting(inner: Context): Context {
    return {
      getValue: (key) => inner.getValue(key),
      deleteValue: (key) => noting(inner.deleteValue(key)),
      setValue(key, value) {
        const next = inner.setValue(key, value);
        const span = trace.getSpanContext(next);
        if (span && !(span.traceFlags & TraceFlags.SAMPLED)) notSampled.add(span.traceId);
        return noting(next);
      },
    };
  }

  return {
    run: <T>(work: () => T): T => context.with(noting(context.active()), work),
    /** Without an SDK, or a disabled one, the id is all zeros. */
    isSampled: (traceId: string) => isValidTraceId(traceId) && !notSampled.has(traceId),
  };
}
