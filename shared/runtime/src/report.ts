// Says in one line, once for each address, that telemetry was not sent; OpenTelemetry by itself says nothing. It looks at
// the exporters' requests: the SDK's error handler is not told which signal it was, nor of metrics that timed out.
import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';

/** Longer than the workshop's exporters try, retries included. */
const PATIENCE_MS = 2_000;
const SIGNALS = { traces: 'traces', metrics: 'metrics', logs: 'log records' };

/** Addresses where nothing has arrived since the last success: why, and the timer that reports it. */
const pending = new Map<string, { reason: string; timer: NodeJS.Timeout }>();
const reported = new Set<string>();
const open = new Set<Promise<void>>();

subscribe('http.client.request.created', (message) => {
  const { request } = message as { request: ClientRequest };
  if (!String(request.getHeader('user-agent')).includes('OTel-OTLP-Exporter')) return;
  const address = withoutSecrets(new URL(request.path, `${request.protocol}//${request.getHeader('host')}`));
  waitFor(address);
  const closed = new Promise<void>((resolve) => request.on('close', resolve)).finally(() => open.delete(closed));
  open.add(closed);
  request.on('response', ({ statusCode = 0 }: IncomingMessage) => {
    if (statusCode < 300) arrived(address);
    else waitFor(address).reason = `HTTP ${statusCode}`;
  });
  request.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    // The exporter itself resets a connection that stays silent.
    waitFor(address).reason = code === 'ECONNRESET' ? 'no answer' : code || message;
  });
});

/** Resolves when no request is open any more: a flush rejects at the first signal that fails. */
export async function allAnswered(): Promise<void> {
  await Promise.all(open);
}

/** Reports what has not arrived by now and, if there was never anything to report, the `error` that ended the flush. */
export function reportUnsent(error?: unknown): void {
  for (const address of pending.keys()) report(address);
  if (error && reported.size === 0) {
    console.error(`Telemetry was not flushed: ${error instanceof Error ? error.message : error}`);
  }
}

function waitFor(address: string) {
  const waiting = pending.get(address) ?? {
    reason: 'no answer',
    timer: setTimeout(() => report(address), PATIENCE_MS).unref(),
  };
  pending.set(address, waiting);
  return waiting;
}

function arrived(address: string): void {
  clearTimeout(pending.get(address)?.timer);
  pending.delete(address);
}

function report(address: string): void {
  if (reported.has(address)) return;
  reported.add(address);
  const reason = pending.get(address)?.reason ?? '';
  const what = [signalOf(address), reason].filter(Boolean).join(': ');
  const question = reason.startsWith('HTTP') ? '' : ' Does it run?';
  console.error(`Telemetry was not sent to ${address} (${what}).${question}`);
}

/** By the path that exporters append, or by the variable that gives the signal an address of its own. */
function signalOf(address: string): string | undefined {
  const names = Object.entries(SIGNALS).find(([signal]) => {
    const own = URL.parse(process.env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`] ?? '');
    return address.endsWith(`/v1/${signal}`) || (own && address === withoutSecrets(own));
  });
  return names?.[1];
}

/** Without user name, password and query. */
function withoutSecrets({ origin, pathname }: URL): string {
  return origin + pathname;
}
