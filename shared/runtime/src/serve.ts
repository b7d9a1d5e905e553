import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { INVALID_SPAN_CONTEXT, isSpanContextValid, TraceFlags, trace } from '@opentelemetry/api';
import { LlmError } from '@workshop/llm';
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { limits, refuseForeignHosts, refuseUnreadable, securityHeaders } from './edge.ts';
import { beforeFlush, exit } from './exit.ts';
import { logsLink, traceLink } from './trace-link.ts';

const GRACE_MS = 2_000;
/** For the answer to what has just been aborted. */
const LAST_GRACE_MS = 250;
const MAX_QUESTION_LENGTH = 4_000;
const EXPECTED = 'Send JSON like {"question": "What is a trace?"}, with the header content-type: application/json.';

/** What POST /ask takes. Without a session id of the caller's it gets a new one. */
export const Question = z.object(
  {
    question: z
      .string({ error: 'question must be a text' })
      .trim()
      .min(1, 'question is empty')
      .max(MAX_QUESTION_LENGTH, `question is longer than ${MAX_QUESTION_LENGTH} characters`),
    sessionId: z.uuid({ error: 'sessionId must be a UUID' }).default(randomUUID),
  },
  { error: `There is no question in the body. ${EXPECTED}` },
);

/** The folder of the page that asks. */
export const pageFolder = join(import.meta.dirname, '..', 'page');

const stop = new AbortController();

/** Aborts when the service has been told to end and the time for requests in flight is over. */
export const stopping = stop.signal;

/**
 * Answers with JSON, and with the trace of the request: its id, whether it is recorded (sampled), and links to it and to its
 * log records if they have a page.
 */
export async function answer(response: Response, body: object): Promise<void> {
  const span = trace.getActiveSpan()?.spanContext() ?? INVALID_SPAN_CONTEXT;
  const traceId = isSpanContextValid(span) ? span.traceId : undefined;
  const sampled = (span.traceFlags & TraceFlags.SAMPLED) !== 0;
  const [traceUrl, logsUrl] = await Promise.all([
    traceId && sampled ? traceLink(traceId) : undefined,
    traceId && logsLink(traceId), // log records are kept either way
  ]);
  response.json({ ...body, traceId, sampled, traceUrl, logsUrl });
}

/** Express's last handler: every error becomes JSON with a type and a message, without a stack. */
export const handleErrors: ErrorRequestHandler = (error, _request, response, _next) => {
  const { status, type, message } = describe(error);
  if (status === 500) console.error(error instanceof Error ? error.stack : error);
  answer(response.status(status), { error: { type, message } });
};

function describe(error: unknown): { status: number; type: string; message: string } {
  if (error instanceof z.ZodError) {
    return { status: 400, type: 'bad_request', message: error.issues.map(({ message }) => message).join(', ') };
  }
  if (error instanceof LlmError) return { status: 502, type: error.type, message: error.message };
  if (error instanceof Error && error.name === 'TimeoutError') {
    return { status: 502, type: 'timeout', message: 'The backend did not answer in time. Ask again.' };
  }
  // fetch says of every connection that fails just this.
  if (error instanceof TypeError && error.message === 'fetch failed') {
    return { status: 502, type: 'unavailable', message: 'The backend does not answer. Does it run?' };
  }
  // What express.json() refuses: too large, no JSON, an unknown encoding.
  const { status, type, limit } = error as { status?: number; type?: string; limit?: number };
  if (type === 'request.aborted') {
    // Nobody is there to read this, but the span has the status that `refuseUnreadable` answered with.
    return { status: 408, type: 'bad_request', message: 'The request did not arrive as a whole.' };
  }
  if (status === 413) {
    const message = `The body is too large: ${limit} bytes are allowed, and ${MAX_QUESTION_LENGTH} characters of a question.`;
    return { status, type: 'bad_request', message };
  }
  if (status && status < 500) {
    return { status, type: 'bad_request', message: `The body cannot be read (HTTP ${status}). ${EXPECTED}` };
  }
  return { status: 500, type: 'internal', message: 'A bug in this service: its output says more.' };
}

const notFound: RequestHandler = (_request, response) => {
  const message = `Nothing is here. Questions go to POST /ask. ${EXPECTED}`;
  answer(response.status(404), { error: { type: 'not_found', message } });
};

/**
 * Serves `app` on a port of this machine, to requests for this machine only, with headers that protect its page. When the
 * program is told to end, requests in flight get 2 s; then `stopping` aborts and what is still open is closed, before the
 * telemetry is flushed. A port that is taken ends the program.
 */
export function serve(app: Express, port: number): void {
  const guarded = express()
    .disable('x-powered-by')
    .use(securityHeaders, refuseForeignHosts, app.disable('x-powered-by'), notFound);
  const server = createServer(limits, guarded).on('clientError', refuseUnreadable);
  server.on('error', (error: NodeJS.ErrnoException) => {
    console.error(`Cannot listen on port ${port} (${error.code}): choose another.`);
    exit(1);
  });
  server.listen(port, '127.0.0.1', () => console.log(`listening on http://localhost:${port}`));
  // The runner has gone, or the other service has: perhaps while this one was still starting.
  process.once('disconnect', () => exit(0));
  if (process.connected === false) exit(0);
  beforeFlush(async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    await Promise.race([closed, sleep(GRACE_MS)]);
    stop.abort();
    await Promise.race([closed, sleep(LAST_GRACE_MS)]);
    server.closeAllConnections();
  });
}
