// Notices that BatchSpanProcessor drops spans because its queue is full. It tells OpenTelemetry's logger, and no one else.
import { DiagLogLevel, diag } from '@opentelemetry/api';

/** How many spans found the queue full. While it is full (`isFull`) the last ones are not counted yet. */
export const dropped = { spans: 0, isFull: false };

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
