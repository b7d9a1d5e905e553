/** A span as it landed, the same from every backend. */
export type Span = {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: string;
  /** Milliseconds since 1970. */
  startMs: number;
  durationMs: number;
  attributes: Record<string, unknown>;
  /** Attributes of the resource. */
  resource: Record<string, unknown>;
  status: { code: 'UNSET' | 'OK' | 'ERROR'; message: string | undefined };
  events: { name: string; attributes: Record<string, unknown> }[];
};

type OtlpValue = {
  stringValue?: string;
  intValue?: string;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values: OtlpValue[] };
};
type OtlpAttributes = { key: string; value: OtlpValue }[] | undefined;
export type OtlpTraces = {
  resourceSpans: {
    resource: { attributes?: OtlpAttributes };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        kind: number;
        startTimeUnixNano: string;
        endTimeUnixNano: string;
        attributes?: OtlpAttributes;
        status?: { code?: number; message?: string };
        events?: { name: string; attributes?: OtlpAttributes }[];
      }[];
    }[];
  }[];
};

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const STATUSES = ['UNSET', 'OK', 'ERROR'] as const;

/**
 * Where Jaeger's API has a trace, as it was sent. Without `raw_traces` Jaeger 2.13 corrects what it has in memory while it
 * answers, and under load two answers at once have ended it.
 */
export function jaegerTrace(tracesUrl: string, traceId: string): string {
  return `${tracesUrl}/api/v3/traces/${traceId}?raw_traces=true`;
}

/** Where Jaeger's API has the traces of a service that began after `since` (milliseconds since 1970), as they were sent. */
export function jaegerTraces(tracesUrl: string, service: string, since: number): string {
  const query = new URLSearchParams({
    'query.service_name': service,
    'query.start_time_min': new Date(since).toISOString(),
    'query.start_time_max': new Date(Date.now() + 60_000).toISOString(),
    'query.num_traces': '1000',
    'query.raw_traces': 'true',
  });
  return `${tracesUrl}/api/v3/traces?${query}`;
}

/** The spans of OTLP in JSON, https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. */
export function fromOtlp({ resourceSpans }: OtlpTraces): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId || undefined,
        name: span.name,
        kind: KINDS[span.kind] ?? String(span.kind),
        startMs: Number(span.startTimeUnixNano) / 1e6,
        durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
        attributes: toObject(span.attributes),
        resource: toObject(resource.attributes),
        status: { code: STATUSES[span.status?.code ?? 0] ?? 'UNSET', message: span.status?.message || undefined },
        events: (span.events ?? []).map(({ name, attributes }) => ({ name, attributes: toObject(attributes) })),
      })),
    ),
  );
}

function toObject(attributes: OtlpAttributes = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, toValue(value)]));
}

function toValue({ stringValue, intValue, doubleValue, boolValue, arrayValue }: OtlpValue): unknown {
  if (intValue !== undefined) return Number(intValue);
  if (arrayValue) return arrayValue.values.map(toValue);
  return stringValue ?? doubleValue ?? boolValue;
}

/** A span as autotel-devtools gives it back: the resource's attributes are among the span's. */
type DevtoolsSpan = Omit<Span, 'startMs' | 'durationMs' | 'resource' | 'status'> & {
  startTime: number;
  duration: number;
  status: { code: Span['status']['code']; message?: string };
};
export type DevtoolsTraces = { traces: { service: string; spans: DevtoolsSpan[] }[] };

export function fromDevtools({ traces }: DevtoolsTraces): Span[] {
  return traces.flatMap(({ spans }) =>
    spans.map(({ startTime, duration, attributes, status, ...span }) => {
      const isOfResource = (key: string) => /^(service|deployment|telemetry)\./.test(key);
      const entries = Object.entries(attributes);
      return {
        ...span,
        parentSpanId: span.parentSpanId || undefined,
        status: { code: status.code, message: status.message },
        startMs: startTime,
        durationMs: duration,
        attributes: Object.fromEntries(entries.filter(([key]) => !isOfResource(key))),
        resource: Object.fromEntries(entries.filter(([key]) => isOfResource(key))),
      };
    }),
  );
}
