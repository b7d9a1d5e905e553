// Ends a program well, however it ends: its normal end, Ctrl-C, SIGTERM, SIGHUP, the end of npm, an uncaught exception or
// rejection.
import { setTimeout as sleep } from 'node:timers/promises';
import { onParentEnd } from './parent.ts';
import { allAnswered, reportLosses } from './report.ts';

const CLEANUP_TIMEOUT_MS = 3_000;
const FLUSH_TIMEOUT_MS = 2_000;
const REPORT_TIMEOUT_MS = 500;
/** 128 + the signal's number, as shells report it. */
const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

const cleanups: (() => Promise<unknown>)[] = [];
let flush: () => Promise<unknown> = async () => {};
let exiting: Promise<never> | undefined;
/** Why output was not written, as when the disk is full. */
export let outputError: string | undefined;

process.once('beforeExit', (code) => exit(code));
for (const [signal, code] of Object.entries(EXIT_CODES)) process.on(signal, () => exit(code));
onParentEnd(() => exit(0));
// Unheard, the error would be an uncaught exception, which prints, ...
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    // EPIPE: whoever read our output has gone, as `head` does.
    if (code !== 'EPIPE') outputError ??= code;
    exit(0);
  });
}
process.on('uncaughtException', (error) => {
  console.error(error instanceof Error ? error.stack : error); // the stack, not the cause: that can hold secrets
  exit(1);
});

/**
 * Has `lastFlush` run when the program ends, once, for at most 2 s and after all that was given to `beforeFlush`. If it
 * rejects or takes longer, that is reported, and the exit code stays the same.
 */
export function onExit(lastFlush: () => Promise<unknown>): void {
  flush = lastFlush;
}

/** Has `cleanup` run, for at most 3 s, before the flush: what is still in flight must end to be exported. */
export function beforeFlush(cleanup: () => Promise<unknown>): void {
  cleanups.push(cleanup);
}

/** Cleans up, flushes and ends the process. The first call decides the exit code. */
export function exit(code: number): Promise<never> {
  exiting ??= end(code);
  return exiting;
}

async function end(code: number): Promise<never> {
  await within(CLEANUP_TIMEOUT_MS, Promise.allSettled(cleanups.map((cleanup) => Promise.try(cleanup))));
  const flushed = Promise.allSettled([Promise.try(flush).finally(allAnswered)]);
  const [result] = (await within(FLUSH_TIMEOUT_MS, flushed)) ?? [];
  if (!result) console.error(`Telemetry was not flushed within ${FLUSH_TIMEOUT_MS / 1000} s.`);
  const reported = Promise.allSettled([reportLosses(result?.status === 'rejected' && result.reason)]);
  await within(REPORT_TIMEOUT_MS, reported);
  await drained(process.stdout);
  if (outputError) console.error(`The output could not be written (${outputError}).`);
  await drained(process.stderr);
  process.exit(outputError ? 1 : code);
}

/** Undefined when the time is up. */
function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  return Promise.race([work, sleep(milliseconds, undefined)]);
}

/** Resolves when all that was written to `stream` has left: into a pipe that can be after process.exit(). */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
