// What a request of an OTLP exporter and its answer say: https://opentelemetry.io/docs/specs/otlp/#otlphttp
import type { IncomingMessage } from 'node:http';
import { printable } from './text.ts';

/** Why telemetry did not arrive, and what a person can do about it. */
export type Trouble = {
  /** One line is enough for each kind. */
  kind: string;
  reason: string;
  advice: string;
  /** Whether the exporter tries again. */
  isRetried: boolean;
  /** Whether the receiver may have taken it all the same. */
  isUnsure?: boolean;
  /** How many of the items were not taken, if not all. */
  rejected?: number;
};

/** What a request holds: spans, data points of metrics, or log records. */
export type Items = {
  signal?: string;
  item?: string;
  count: number;
  /** Whether some metrics hold only what is new: later ones do not say it again. */
  isDelta?: boolean;
};

const CHECK_ENDPOINT = 'Is it an OTLP receiver? Check OTEL_EXPORTER_OTLP_ENDPOINT.';
/** What the exporters retry. */
const RETRIED_STATUSES = [429, 502, 503, 504];
const RETRIED_CODES = ['ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'ENETUNREACH', 'EHOSTUNREACH', 'EAI_AGAIN', 'ENOTFOUND'];
const DELTA = 1;
const MAX_MESSAGE_LENGTH = 200;

/** The keys that hold items in OTLP/JSON. Names that a program chooses are values there, never keys. */
export const ITEMS = {
  spans: { signal: 'traces', item: 'span' },
  dataPoints: { signal: 'metrics', item: 'data point' },
  logRecords: { signal: 'log records', item: 'log record' },
};

export const noAnswer: Trouble = {
  kind: 'no answer',
  reason: 'no answer',
  advice: 'Does it run?',
  isRetried: true,
  isUnsure: true,
};

/** Counts the items in the body of a request. Only OTLP/JSON can be counted. */
export function itemsIn(body: string): Items {
  let items: Items = { count: 0 };
  parse(body, (key, value) => {
    if (key === 'aggregationTemporality' && value === DELTA) items.isDelta = true;
    if (!(key in ITEMS)) return value;
    items = { ...items, ...ITEMS[key as keyof typeof ITEMS], count: items.count + value.length };
  });
  return items;
}

/** The signal of a request of which perhaps only the first part, `start`, is there. */
export function signalAt(start: string): string | undefined {
  const kind = /^\{"resource(Spans|Metrics|Logs)"/.exec(start)?.[1];
  return kind && { Spans: ITEMS.spans, Metrics: ITEMS.dataPoints, Logs: ITEMS.logRecords }[kind]?.signal;
}

/** What is wrong when there is no answer. */
export function connectionTrouble({ code = '', message }: NodeJS.ErrnoException): Trouble {
  // The exporter itself resets a connection that stays silent.
  if (code === 'ECONNRESET') return noAnswer;
  return {
    kind: 'connection',
    reason: code || printable(message),
    advice: connectionAdvice(code),
    isRetried: RETRIED_CODES.includes(code),
  };
}

function connectionAdvice(code: string): string {
  if (code === 'EAI_AGAIN' || code === 'ENOTFOUND') return 'Check the host name in OTEL_EXPORTER_OTLP_ENDPOINT.';
  if (/SSL|TLS|CERT|EPROTO|ISSUER/.test(code)) return 'Check http or https, and the certificate.';
  return RETRIED_CODES.includes(code) ? 'Does it run?' : CHECK_ENDPOINT;
}

/** What is wrong with an answer. Undefined if all was taken. */
export function answerTrouble({ statusCode = 0, complete }: IncomingMessage, body: string): Trouble | undefined {
  const http = `HTTP ${statusCode}`;
  if (statusCode >= 300) {
    return {
      kind: http,
      reason: http,
      advice: statusAdvice(statusCode),
      isRetried: RETRIED_STATUSES.includes(statusCode),
    };
  }
  if (!complete) return { ...noAnswer, isRetried: false };
  const answer = parse(body || '{}');
  if (answer?.constructor !== Object) {
    const reason = `${http}, but the answer is not OTLP`;
    return { kind: 'not OTLP', reason, advice: CHECK_ENDPOINT, isRetried: false };
  }
  const { errorMessage = '', ...counts } = answer.partialSuccess ?? {};
  const rejected = Number(counts.rejectedSpans ?? counts.rejectedDataPoints ?? counts.rejectedLogRecords ?? 0);
  if (!(rejected > 0)) return undefined;
  const why = printable(String(errorMessage)).replace(/\s+/g, ' ').slice(0, MAX_MESSAGE_LENGTH);
  return {
    kind: 'rejected',
    reason: `${rejected} rejected${why && `, "${why}"`}`,
    advice: "Read the receiver's log.",
    isRetried: false,
    rejected,
  };
}

function statusAdvice(status: number): string {
  if (status === 401 || status === 403) return 'Check the credentials in OTEL_EXPORTER_OTLP_HEADERS.';
  if (status === 413) return 'Send smaller batches: set maxExportBatchSize of the processor or metric reader.';
  if (status === 429) return 'Send less, or wait.';
  if (status >= 500) return "Read the receiver's log.";
  return CHECK_ENDPOINT;
}

/** Undefined if `text` is not JSON. */
function parse(text: string, reviver?: Parameters<typeof JSON.parse>[1]) {
  try {
    return JSON.parse(text, reviver);
  } catch {
    return undefined;
  }
}
