import { appEnv } from '@workshop/testkit/backends';
import { expect } from 'vitest';

type Signal = 'traces' | 'metrics' | 'logs';

/** Sends OTLP over HTTP to a Collector, in JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp. */
export async function postOtlp(signal: Signal, body: object, endpoint = appEnv.OTEL_EXPORTER_OTLP_ENDPOINT) {
  const response = await fetch(`${endpoint}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

/** The same, and expects that all of it is accepted. */
export async function sendOtlp(signal: Signal, body: object, endpoint?: string): Promise<void> {
  const { status, text } = await postOtlp(signal, body, endpoint);
  expect(status, text).toBe(200);
}

/** A request with these spans of `service`, each with attributes of these `values`. */
export function tracesOf(
  service: string,
  spans: { traceId: string; spanId: string; name?: string }[],
  values: Record<string, string> = {},
) {
  const span = {
    name: 'work',
    kind: 1,
    startTimeUnixNano: nanoseconds(),
    endTimeUnixNano: nanoseconds(1),
    attributes: attributes(values),
  };
  const resource = { attributes: attributes({ 'service.name': service }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans: spans.map((own) => ({ ...span, ...own })) }] }] };
}

/** Attributes as OTLP writes them. */
export function attributes(values: Record<string, string | string[]>) {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: Array.isArray(value)
      ? { arrayValue: { values: value.map((stringValue) => ({ stringValue })) } }
      : { stringValue: value },
  }));
}

/** Random hexadecimal digits, at most 32. */
export function hex(digits: number): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, digits);
}

/** The time in `milliseconds` from now, in nanoseconds: too large for a number. */
export function nanoseconds(milliseconds = 0): string {
  return `${Date.now() + milliseconds}000000`;
}
