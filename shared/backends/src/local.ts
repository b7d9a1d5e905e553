#!/usr/bin/env node
// `npm run local`: a receiver with a page, for those who have no Docker. Ctrl-C ends it.
import { startDevtools } from './devtools.ts';

const PORT = 4318;

const { url, ended, stop } = await startDevtools(PORT).catch((error: Error): never => {
  console.error(error.message);
  process.exit(1);
});
const elsewhere = new URL(url).port !== String(PORT);

console.log(`Traces, metrics and logs: ${url}`);
if (elsewhere) console.log(`Port ${PORT} is taken. In the step: npm start -- --set OTEL_EXPORTER_OTLP_ENDPOINT=${url}`);
console.log('Ctrl-C ends it.');

let stopping = false;
async function end(): Promise<void> {
  stopping = true;
  await stop();
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
// SIGTERM to npm ends npm and its shell, and does not reach this process.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) end();
}, 500).unref();

await ended;
if (!stopping) {
  console.error('The receiver has ended by itself: start it again.');
  process.exitCode = 1;
}
