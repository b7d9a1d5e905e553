import type { Cause } from '@workshop/testkit/causes';

const TELEMETRY = 'src/telemetry.ts';
const LLM = 'src/llm.ts';
const COLLECTOR = 'collector.yaml';
const SDK = /new NodeSDK/;

/** What goes wrong in this step, beside what goes wrong in every step: looked for from above. */
export const causes: Cause[] = [
  {
    when: ({ seen }) => /collector .*(exited|does not)/.test(seen),
    say: 'the Collector does not start. Its last lines, above, say why.',
    at: [COLLECTOR],
  },
  {
    when: ({ test }) => test.startsWith('collector.yaml: pipelines'),
    say: 'every part must be defined above, and stand in a pipeline.',
    at: [COLLECTOR, /^ {2}pipelines:/],
  },
  {
    when: ({ test }) => test.includes('deprecated'),
    say: 'the Collector warns of an old name. It still works, and will be removed.',
    at: [COLLECTOR],
  },
  {
    when: ({ test }) => test.startsWith('health checks'),
    say: 'health checks come through. filter/health must stand in the pipelines of traces and metrics.',
    at: [COLLECTOR, /filter\/health\]|filter\/health,/, /^ {2}pipelines:/],
  },
  {
    when: ({ source }) => !source(TELEMETRY).includes('new OTLPLogExporter'),
    say: 'nothing sends log records. Add a BatchLogRecordProcessor with an OTLPLogExporter.',
    at: [TELEMETRY, /logRecordProcessors/, SDK],
  },
  {
    when: ({ source }) => !/logRecordProcessors:\s*\[\s*new/.test(source(TELEMETRY)),
    say: 'no processor in logRecordProcessors.',
    at: [TELEMETRY, /logRecordProcessors/, SDK],
  },
  {
    when: ({ test, source }) => test.includes('answer') && !/emit\([^;]*The model answered/s.test(source(LLM)),
    say: "an answer leaves no log record. Call logger.emit with the body 'The model answered.'.",
    at: [LLM, /logger\.emit/, /setAttributes/],
  },
  {
    when: ({ seen, source }) => seen.includes('Events of the span') && source(LLM).includes('recordException'),
    say: 'the exception is recorded twice. Take span.recordException out: the log record has it now.',
    at: [LLM, /recordException/],
  },
  {
    when: ({ test, source }) => test.includes('failure') && !/catch.*logger\.emit/s.test(source(LLM)),
    say: 'a failure leaves no log record. Call logger.emit in catch.',
    at: [LLM, /catch/],
  },
  {
    when: ({ test, seen }) => test.includes('failure') && /severity/.test(seen),
    say: 'the record of a failure is a warning: severityNumber WARN, severityText WARN.',
    at: [LLM, /catch/],
  },
  {
    when: ({ test, source }) => test.includes('failure') && !/exception: /.test(source(LLM)),
    say: 'the record has no exception. Give logger.emit the error as exception.',
    at: [LLM, /OPERATION_EXCEPTION/, /catch/],
  },
  {
    when: ({ test, source }) => test.includes('event name') && !source(LLM).includes('eventName'),
    say: 'the record of the exception has no eventName.',
    at: [LLM, /exception: /, /catch/],
  },
  {
    when: ({ source }) => !source(TELEMETRY).includes('new OTLPMetricExporter'),
    say: 'nothing sends the metrics to the Collector. Use a PeriodicExportingMetricReader with an OTLPMetricExporter.',
    at: [TELEMETRY, /metricReaders/, SDK],
  },
  {
    when: ({ source }) => !/metricReaders:\s*\[\s*new/.test(source(TELEMETRY)),
    say: 'no reader in metricReaders.',
    at: [TELEMETRY, /metricReaders/, SDK],
  },
  {
    when: ({ seen, source }) =>
      seen.startsWith('Traces that a bucket names') && !/exemplars:\s*enabled: true/.test(source(COLLECTOR)),
    say: 'exemplars are off in span_metrics.',
    at: [COLLECTOR, /exemplars:/, /span_metrics:/],
  },
  {
    when: ({ seen }) => seen.startsWith('Log records by severity'),
    say: 'the connector count sends deltas, and Prometheus wants totals. delta_to_cumulative must stand in the metrics pipeline.',
    at: [COLLECTOR, /receivers: \[otlp, span_metrics, count\]/, /^ {4}metrics:/],
  },
];
