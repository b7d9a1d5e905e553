import { appEnv } from '@workshop/testkit/backends';
import { expect } from 'vitest';

/** Sends OTLP over HTTP to a Collector, in JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp. */
export async function sendOtlp(
  signal: 'traces' | 'metrics' | 'logs',
  body: object,
  endpoint = appEnv.OTEL_EXPORTER_OTLP_ENDPOINT,
): Promise<void> {
  const response = await fetch(`${endpoint}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(200);
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
