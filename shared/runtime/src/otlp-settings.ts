const SIGNALS = ['', 'TRACES_', 'METRICS_', 'LOGS_'];
/** What node:http lets through: https://www.rfc-editor.org/rfc/rfc9110#section-5 */
const HEADER = /^[\w!#$%&'*+.^`|~-]+ *=[\t\x20-\x7e\x80-\xff]*$/;

/**
 * What is wrong with the OTEL_EXPORTER_OTLP_* variables, without their values. By itself OpenTelemetry sends to localhost
 * when it cannot read the address, and leaves out a header or sends nothing when it cannot read the headers.
 */
export function otlpProblems(env: NodeJS.ProcessEnv): string[] {
  return SIGNALS.flatMap((signal) => {
    const endpoint = `OTEL_EXPORTER_OTLP_${signal}ENDPOINT`;
    const headers = `OTEL_EXPORTER_OTLP_${signal}HEADERS`;
    const path = signal && `/v1/${signal.slice(0, -1).toLowerCase()}`;
    return [
      ...(isEndpoint(env[endpoint]) ? [] : [`${endpoint} must be an address like http://localhost:4318${path}`]),
      ...(areHeaders(env[headers]) ? [] : [`${headers} must be names and values like api-key=abc,tenant=me`]),
    ];
  });
}

function isEndpoint(value = ''): boolean {
  // OpenTelemetry appends a path before it reads the address: a space at the end is wrong too.
  return !value.trim() || /^https?:$/.test(URL.parse(`${value}/`)?.protocol ?? '');
}

function areHeaders(value = ''): boolean {
  return value.split(',').every((pair) => !pair.trim() || isHeader(pair.trim()));
}

function isHeader(pair: string): boolean {
  try {
    return HEADER.test(decodeURIComponent(pair));
  } catch {
    return false; // a % that encodes nothing
  }
}
