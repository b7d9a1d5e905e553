import { type Context, context, createContextKey, type TextMapSetter } from '@opentelemetry/api';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { JaegerPropagator } from '@opentelemetry/propagator-jaeger';

const DO_NOT_PROPAGATE = createContextKey('do not propagate');

/** Reads and writes all formats, but writes nothing on the requests of `withoutPropagation`. */
class SelectivePropagator extends CompositePropagator {
  override inject(from: Context, carrier: unknown, setter: TextMapSetter): void {
    if (!from.getValue(DO_NOT_PROPAGATE)) super.inject(from, carrier, setter);
  }
}

export const propagator = new SelectivePropagator({
  // All of them write. When a request comes with several, the last one that can be read wins: the standard.
  propagators: [new JaegerPropagator(), new W3CBaggagePropagator(), new W3CTraceContextPropagator()],
});

/** Runs `call`, whose requests get no trace id and no baggage: for servers that are not ours. */
export function withoutPropagation<Result>(call: () => Result): Result {
  return context.with(context.active().setValue(DO_NOT_PROPAGATE, true), call);
}
