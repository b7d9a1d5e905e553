// A program for report.test.ts: sends spans (1, or as many as it is told), one measurement and one log record, and ends
// when stdin does. Its flush fails with 'bug' and never ends with 'stuck'; it measures again and again with
// 'steady', and has 3,000 log records when it is 'talkative'.
import { logs, metrics, trace } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import { exit, onExit } from '../src/exit.ts';

// As step 05 has it.
const sdk = new NodeSDK({
  resourceDetectors: [],
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ timeoutMillis: 1_500 }) })],
  metricReaders: [
    new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(), exportIntervalMillis: 1_000 }),
  ],
  logRecordProcessors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ timeoutMillis: 1_500 }) })],
});
sdk.start();
const [, , what = '1'] = process.argv;
onExit(() => {
  if (what === 'bug') return Promise.reject(new Error('a bug'));
  if (what === 'stuck') return new Promise(() => {});
  return sdk.shutdown();
});

for (let i = 0; i < (Number(what) || 1); i += 1) trace.getTracer('test').startSpan('work').end();
const counter = metrics.getMeter('test').createCounter('work');
counter.add(1);
if (what === 'steady') setInterval(() => counter.add(1), 200);
for (let i = 0; i < (what === 'talkative' ? 3_000 : 1); i += 1) logs.getLogger('test').emit({ body: 'work' });
console.log('ready');
process.stdin.resume().on('end', () => exit(0));
