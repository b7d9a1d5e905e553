/** A log record as it landed, the same from every backend. */
export type Log = {
  service: string;
  body: string;
  severityNumber: number;
  severityText: string;
  eventName: string | undefined;
  traceId: string;
  /** As the app wrote them; VictoriaLogs keeps those of the resource among them. */
  attributes: Record<string, unknown>;
};

/**
 * Evaluates LogsQL in the VictoriaLogs at `port`, over all that it has accepted: by itself it would find a record only after a
 * second. https://docs.victoriametrics.com/victorialogs/querying
 */
export async function logsQl(query: string, port: string): Promise<Log[]> {
  const url = `http://localhost:${port}`;
  await (await fetch(`${url}/internal/force_flush`)).text();
  const parameters = new URLSearchParams({ query, limit: '1000' });
  const response = await fetch(`${url}/select/logsql/query?${parameters}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`VictoriaLogs answers ${response.status}: ${text}`);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => fromVictoriaLogs(JSON.parse(line)));
}

/** One of its records: all values are texts, and all fields in one object. */
function fromVictoriaLogs(record: Record<string, string>): Log {
  return {
    service: String(record['service.name']),
    body: String(record._msg),
    severityNumber: Number(record.severity_number),
    severityText: String(record.severity_text),
    eventName: record.event_name,
    traceId: String(record.trace_id),
    attributes: record,
  };
}

/** Log records as autotel-devtools gives them back. */
export type DevtoolsLogs = {
  logs: {
    resourceName: string;
    body: string;
    severityNumber: number;
    severityText?: string;
    eventName?: string;
    traceId: string;
    attributes: Record<string, unknown>;
  }[];
};

export function fromDevtoolsLogs({ logs }: DevtoolsLogs): Log[] {
  return logs.map(({ resourceName, body, severityNumber, severityText = '', eventName, traceId, attributes }) => ({
    service: resourceName,
    body,
    severityNumber,
    severityText,
    eventName,
    traceId,
    attributes,
  }));
}
