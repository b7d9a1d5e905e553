// Says in one line for each address and kind of trouble that telemetry was not sent, and at the end how much was lost;
// OpenTelemetry by itself says nothing. It looks at the exporters' requests: the SDK's error handler is not told which
// signal it was, nor of metrics that timed out, nor of what a receiver rejected.
import { hash } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { constants, gunzipSync } from 'node:zlib';
import {
  answerTrouble,
  connectionTrouble,
  ITEMS,
  type Items,
  itemsIn,
  noAnswer,
  signalAt,
  type Trouble,
} from './otlp.ts';
import { dropped, emitted } from './queue.ts';
import { printable } from './text.ts';

/** Exporters try again: what arrives by then, as after a restart of the receiver, is not worth a line. */
const PATIENCE_MS = 2_000;

type Sent = { address: string; body: () => Promise<Buffer>; start: () => string };
type Loss = Trouble & Items & { address: string };
type Complaint = Pick<Loss, 'address' | 'kind' | 'reason' | 'advice'> & { signal?: string | undefined };

/** Requests without an answer yet. */
const open = new Map<Sent, Promise<void>>();
/** What has not arrived by now. The key is a hash of the body: a retry sends the same one. */
const lost = new Map<string, Loss>();
const told = new Set<string>();
/** Whether requests hold log records that can be counted, and how many of these have arrived. */
const records = { isSent: false, arrived: 0 };

subscribe('http.client.request.created', (message) => {
  const { request } = message as { request: ClientRequest };
  if (!String(request.getHeader('user-agent')).includes('OTel-OTLP-Exporter')) return;
  const sent = { address: addressOf(request), ...bodyOf(request) };
  const waiting = setTimeout(() => tell({ ...noAnswer, ...sent, signal: signalAt(sent.start()) }), PATIENCE_MS).unref();
  const settled = troubleOf(request)
    .finally(() => clearTimeout(waiting))
    .then((trouble) => settle(sent, trouble))
    .finally(() => open.delete(sent));
  open.set(sent, settled);
});

/** Resolves when no request is open any more: a flush rejects at the first signal that fails. */
export async function allAnswered(): Promise<void> {
  await Promise.all(open.values());
}

/** Reports what has not arrived by now, how much it is, and the `error` of the flush if nothing else explains it. */
export async function reportLosses(error?: unknown): Promise<void> {
  for (const sent of open.keys()) await settle(sent, noAnswer);
  for (const loss of lost.values()) tell(loss);
  if (error && told.size === 0) console.error(`Telemetry was not flushed: ${describe(error)}`);
  const amounts = Object.values(ITEMS).flatMap(({ item }) => amountOf(item));
  if (amounts.length > 0) console.error(`Lost: ${amounts.join(', ')}.`);
}

/** As in `up to 3 spans`. Empty if there are none. */
function amountOf(item: string): string[] {
  const losses = [...lost.values()].filter((loss) => loss.item === item);
  const queue = item === 'span' ? dropped : { spans: 0, isFull: false };
  const seen = losses.reduce((sum, loss) => sum + loss.count, queue.spans);
  const count = item === ITEMS.logRecords.item && records.isSent ? emitted.logRecords - records.arrived : seen;
  if (!count) return [];
  const bound = queue.isFull ? 'more than ' : losses.some(({ isUnsure }) => isUnsure) ? 'up to ' : '';
  return [`${bound}${count} ${item}${count === 1 ? '' : 's'}`];
}

async function settle({ address, body, start }: Sent, trouble: Trouble | undefined): Promise<void> {
  if (!trouble && lost.size === 0 && signalAt(start()) !== ITEMS.logRecords.signal) return;
  const bytes = await body();
  const id = hash('sha256', bytes);
  const items = lost.get(id) ?? itemsIn(bytes.toString());
  if (items.item === ITEMS.logRecords.item) {
    records.isSent = true;
    records.arrived += items.count - (trouble ? (trouble.rejected ?? items.count) : 0);
  }
  if (!trouble) return arrived(id, address, items);
  lost.set(id, { ...items, ...trouble, address, count: trouble.rejected ?? items.count });
  const tellOfIt = () => tell(lost.get(id));
  if (trouble.isRetried) setTimeout(tellOfIt, PATIENCE_MS).unref();
  else tellOfIt();
}

/** Metrics are cumulative, unless their temporality is delta: these say what earlier ones would have said. */
function arrived(id: string, address: string, { item }: Items): void {
  lost.delete(id);
  if (item !== ITEMS.dataPoints.item) return;
  for (const [key, loss] of lost) if (loss.item === item && loss.address === address && !loss.isDelta) lost.delete(key);
}

function tell(complaint: Complaint | undefined): void {
  if (!complaint) return;
  const { address, kind, signal, reason, advice } = complaint;
  const key = [address, signal, kind].join(' ');
  if (told.has(key)) return;
  told.add(key);
  console.error(`Telemetry was not sent to ${address} (${[signal, reason].filter(Boolean).join(': ')}). ${advice}`);
}

/** What comes of a request: undefined if all has arrived. */
function troubleOf(request: ClientRequest): Promise<Trouble | undefined> {
  const isJson = String(request.getHeader('content-type')).includes('json');
  return new Promise((resolve) => {
    request.on('error', (error) => resolve(connectionTrouble(error)));
    request.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('close', () => resolve(answerTrouble(response, isJson ? Buffer.concat(chunks).toString() : '')));
    });
  });
}

/**
 * Keeps what is piped into a request, by reference. A request that failed has not read it to its end: `body` does. `start`
 * is what is there by now.
 */
function bodyOf(request: ClientRequest): Pick<Sent, 'body' | 'start'> {
  const { promise, resolve } = Promise.withResolvers<Readable>();
  const chunks: Buffer[] = [];
  request.once('pipe', (source: Readable) => {
    source.on('data', (chunk) => chunks.push(chunk));
    resolve(source);
  });
  const unzipped = (finishFlush?: number) => {
    const bytes = Buffer.concat(chunks);
    return request.getHeader('content-encoding') === 'gzip' ? gunzipSync(bytes, { finishFlush }) : bytes;
  };
  const body = async () => {
    const source = await promise;
    if (!source.closed) {
      source.unpipe(request).resume();
      await once(source, 'close');
    }
    return unzipped();
  };
  return { body, start: () => unzipped(constants.Z_SYNC_FLUSH).toString() };
}

/** The code alone if there is one: the message of an invalid header quotes it. */
function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return printable(String(message ?? error));
  return code.startsWith('ERR_INVALID_') ? `${code}. Check OTEL_EXPORTER_OTLP_HEADERS.` : code;
}

/** Without user name, password and query. */
function addressOf(request: ClientRequest): string {
  const url = URL.parse(request.path, `${request.protocol}//${request.getHeader('host')}`);
  return url ? url.origin + url.pathname : 'the receiver';
}
