import { type Context, context, createContextKey, type TextMapSetter } from '@opentelemetry/api';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { JaegerPropagator } from '@opentelemetry/propagator-jaeger';

const OUTSIDE = createContextKey('outside the house');

/** Writes no headers on requests that leave the house; reads and writes them everywhere else. */
class HousePropagator extends CompositePropagator {
  override inject(from: Context, carrier: unknown, setter: TextMapSetter): void {
    if (!from.getValue(OUTSIDE)) super.inject(from, carrier, setter);
  }
}

export const propagator = new HousePropagator({
  // All of them write. When a request comes with several, the last one that can be read wins: the standard.
  propagators: [new JaegerPropagator(), new W3CBaggagePropagator(), new W3CTraceContextPropagator()],
});

/** Runs `call` outside the house: trace ids and baggage are nobody's business there. */
export function outside<Result>(call: () => Result): Result {
  return context.with(context.active().setValue(OUTSIDE, true), call);
}
