// Notices what batch processors drop because their queue is full, or still have in it when the program ends.
import { DiagLogLevel, diag, type Logger, logs } from '@opentelemetry/api';

/**
 * How many spans found the queue full: BatchSpanProcessor tells OpenTelemetry's logger, and no one else. While it is full
 * (`isFull`) the last ones are not counted yet.
 */
export const dropped = { spans: 0, isFull: false };

/** How many log records were emitted: BatchLogRecordProcessor tells no one how many it drops, or has in its queue. */
export const emitted = { logRecords: 0 };

const { setGlobalLoggerProvider } = logs;
logs.setGlobalLoggerProvider = (provider) =>
  setGlobalLoggerProvider.call(logs, { getLogger: (...which) => counting(provider.getLogger(...which)) });

function counting(logger: Logger): Logger {
  const emit: Logger['emit'] = (record) => {
    emitted.logRecords += 1;
    logger.emit(record);
  };
  return Object.assign(Object.create(logger), { emit });
}

const ignore = () => {};

// With OTEL_LOG_LEVEL, OpenTelemetry prints it by itself.
if (!process.env.OTEL_LOG_LEVEL) {
  const logger = {
    ...{ error: ignore, info: ignore, verbose: ignore },
    debug(message: string) {
      if (message !== 'maxQueueSize reached, dropping spans') return;
      if (dropped.spans === 0) console.error('Spans are dropped: too many wait to be sent.');
      dropped.isFull = true;
    },
    warn(message: string) {
      const count = /^Dropped (\d+) spans because maxQueueSize reached$/.exec(message)?.[1];
      if (!count) return;
      dropped.spans += Number(count);
      dropped.isFull = false;
    },
  };
  diag.setLogger(logger, DiagLogLevel.DEBUG);
}
