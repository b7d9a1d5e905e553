// A program for exit.test.ts: one span that only a flush prints, and an end of the kind that is asked for.
import { trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor, ConsoleSpanExporter } from '@opentelemetry/sdk-trace';
import { beforeFlush, onExit } from '../src/exit.ts';

const sdk = new NodeSDK({
  spanProcessors: [new BatchSpanProcessor({ exporter: new ConsoleSpanExporter() })],
  metricReaders: [],
  logRecordProcessors: [],
});
sdk.start();
const end = process.argv[2];
onExit(() => (end === 'stuck' ? new Promise(() => {}) : sdk.shutdown()));
if (end === 'stuck') beforeFlush(() => new Promise(() => {}));

const span = trace.getTracer('test').startSpan('work');
beforeFlush(async () => span.end());

console.log('ready');
if (end === 'exit code') process.exitCode = 3;
if (end === 'exception') throw new Error('a bug', { cause: 'a secret' });
if (end === 'rejection') Promise.reject(new Error('a bug'));
if (end === 'wait') setTimeout(() => {}, 20_000);
if (end === 'flood') console.log('x'.repeat(1_000_000));
if (end === 'chatter') setInterval(() => [console.log('still here'), console.error('still here')], 20);
