/** A log record as it landed, the same from every backend. */
export type Log = {
  service: string;
  body: string;
  severityNumber: number;
  traceId: string;
  /** Under the names that Loki gives them: underscores for dots. */
  attributes: Record<string, unknown>;
};

/** What Loki answers, https://grafana.com/docs/loki/latest/reference/loki-http-api: attributes are the stream's labels. */
export type LokiStreams = {
  data: { result: { stream: Record<string, string>; values: [time: string, line: string][] }[] };
};

export function fromLoki({ data }: LokiStreams): Log[] {
  return data.result.flatMap(({ stream, values }) =>
    values.map(([, body]) => ({
      service: String(stream.service_name),
      body,
      severityNumber: Number(stream.severity_number),
      traceId: String(stream.trace_id),
      attributes: stream,
    })),
  );
}

/** Log records as autotel-devtools gives them back. */
export type DevtoolsLogs = {
  logs: {
    resourceName: string;
    body: string;
    severityNumber: number;
    traceId: string;
    attributes: Record<string, unknown>;
  }[];
};

export function fromDevtoolsLogs({ logs }: DevtoolsLogs): Log[] {
  return logs.map(({ resourceName, body, severityNumber, traceId, attributes }) => ({
    service: resourceName,
    body,
    severityNumber,
    traceId,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([key, value]) => [key.replaceAll(/[.-]/g, '_'), value]),
    ),
  }));
}
