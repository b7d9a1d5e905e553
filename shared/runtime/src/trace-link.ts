// Links to what a trace left: only to pages that are there.
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const PATIENCE_MS = 300;
/** How long what a page answered counts: services are asked often. */
const KEPT_MS = 2_000;

const asked = new Map<string, { at: number; shown: Promise<boolean> }>();

/** The page that shows the trace: Jaeger's, or else that of the receiver of `npm run local`. Undefined if neither answers. */
export async function traceLink(traceId: string): Promise<string | undefined> {
  const jaeger = `http://localhost:${process.env.JAEGER_UI_PORT || 16686}`;
  const receiver = URL.parse(process.env.OTEL_EXPORTER_OTLP_ENDPOINT || 'http://localhost:4318')?.origin;
  const [inJaeger, inReceiver] = await Promise.all([
    shows(`${jaeger}/`, 'Jaeger UI'),
    // At this address there may as well be Jaeger or a Collector.
    receiver && shows(`${receiver}/healthz`, '"service":"autotel-devtools"'),
  ]);
  if (inJaeger) return `${jaeger}/trace/${traceId}`;
  return inReceiver ? `${receiver}/#trace=${traceId}` : undefined;
}

/** The page that shows the trace's log records of the last hour: that of VictoriaLogs. Undefined if it does not answer. */
export async function logsLink(traceId: string): Promise<string | undefined> {
  const page = `http://localhost:${process.env.VICTORIALOGS_PORT || 9428}/select/vmui/`;
  const query = new URLSearchParams({ query: `trace_id:="${traceId}"`, 'g0.relative_time': 'last_1_hour' });
  return (await shows(page, 'VictoriaLogs')) ? `${page}#/?${query}` : undefined;
}

function shows(url: string, words: string): Promise<boolean> {
  const known = asked.get(url);
  if (known && performance.now() - known.at < KEPT_MS) return known.shown;
  const shown = get(url).then(
    (answer) => answer.includes(words),
    () => false,
  );
  asked.set(url, { at: performance.now(), shown });
  return shown;
}

/** Over a bare socket: node:http and fetch are instrumented in steps 04 and 05, and would make spans and metrics of this. */
function get(url: string): Promise<string> {
  const { host, hostname, port, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port || 80), signal: AbortSignal.timeout(PATIENCE_MS) });
  socket.write(`GET ${pathname} HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  return text(socket);
}
