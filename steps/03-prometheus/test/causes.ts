import type { Cause } from '@workshop/testkit/causes';

const TELEMETRY = 'src/telemetry.ts';
const LLM = 'src/llm.ts';

/** What the tests say when the duration of the calls is not there at all. */
const NO_DURATION = /^No series \w+_duration/;

/** What goes wrong in this step, beside what goes wrong in every step: looked for from above. */
export const causes: Cause[] = [
  {
    when: ({ source }) => !source(TELEMETRY).includes('new PrometheusExporter'),
    say: 'there is no PrometheusExporter. It is the reader that serves the metrics on port 8000.',
    at: [TELEMETRY, /metricReaders/, /new NodeSDK/],
  },
  {
    when: ({ source }) => !/metricReaders:\s*\[\s*\w/.test(source(TELEMETRY)),
    say: 'metricReaders is empty. Give it the PrometheusExporter.',
    at: [TELEMETRY, /metricReaders/, /new NodeSDK/],
  },
  {
    when: ({ seen, source }) => seen.startsWith('Nobody listens') && !source(TELEMETRY).includes('.startServer()'),
    say: 'the exporter does not listen: preventServerStart is set, and nobody calls startServer().',
    at: [TELEMETRY, /preventServerStart/, /new PrometheusExporter/],
  },
  {
    when: ({ seen }) => seen.startsWith('Nobody listens'),
    say: 'the exporter listens on another port. It must be that of OTEL_EXPORTER_PROMETHEUS_PORT, or else 8000.',
    at: [TELEMETRY, /port =|port:/, /new PrometheusExporter/],
  },
  {
    when: ({ seen, source }) =>
      NO_DURATION.test(seen) && !/createHistogram\(\s*genAi\.METRIC.*DURATION/.test(source(LLM)),
    say: 'there is no histogram for the duration. Make one with meter.createHistogram.',
    at: [LLM, /getMeter/, /getTracer/],
  },
  {
    when: ({ seen, source }) =>
      NO_DURATION.test(seen) && !/\w+\.record\(\(?performance|uration\.record\(/.test(source(LLM)),
    say: 'nothing is recorded for the duration. Call record on the histogram in finally.',
    at: [LLM, /finally/],
  },
  {
    when: ({ test, source }) => test.includes('tokens') && !/oken\w*\.record\(/.test(source(LLM)),
    say: 'nothing is recorded for the tokens. Call record with the counts of the answer.',
    at: [LLM, /createHistogram\(genAi\.METRIC_GEN_AI_CLIENT_TOKEN/, /setAttributes/],
  },
  {
    when: ({ test, source }) => test.includes('counted') && !/record\([^;]*(ERROR_TYPE|outcome)/s.test(source(LLM)),
    say: 'failed calls are not told from answered ones. Record them with the attribute ATTR_ERROR_TYPE.',
    at: [LLM, /uration\.record/, /finally/],
  },
  {
    when: ({ test, source }) => test.includes('durations add up') && !/\/ (1000|1_000|1e3)/.test(source(LLM)),
    say: 'milliseconds are recorded, the unit is seconds. Divide by 1000.',
    at: [LLM, /uration\.record/],
  },
  {
    when: ({ test, source }) => test.includes('buckets') && !source(LLM).includes('DURATION_BOUNDARIES'),
    say: 'the histogram has the default buckets. Give it advice: { explicitBucketBoundaries: genAi.DURATION_BOUNDARIES }.',
    at: [LLM, /createHistogram/],
  },
  {
    when: ({ test }) => test.includes('among the labels'),
    say: 'a label has the text of a question. Record only attributes with few values: callAttributes and the error type.',
    at: [LLM, /record\([^;]*question/, /uration\.record/],
  },
  {
    when: ({ test, source }) => test.includes('a target') && !/host:\s*'0\.0\.0\.0'/.test(source(TELEMETRY)),
    say: "the exporter listens on this machine only, and Prometheus runs in a container. Set host: '0.0.0.0'.",
    at: [TELEMETRY, /new PrometheusExporter/],
  },
  {
    when: ({ test, source }) =>
      test.includes('port that is taken') && !/startServer\(\)\s*\.catch/.test(source(TELEMETRY)),
    say: 'nobody says that the port is taken. Await metricReader.startServer(), and catch its error.',
    at: [TELEMETRY, /startServer/, /sdk\.start/],
  },
];
