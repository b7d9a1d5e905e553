import type { Cause } from '@workshop/testkit/causes';

const TELEMETRY = 'src/telemetry.ts';
const LLM = 'src/llm.ts';

/** What goes wrong in this step, beside what goes wrong in every step: looked for from above. */
export const causes: Cause[] = [
  {
    when: ({ source }) => !source(TELEMETRY).includes('new ConsoleSpanExporter'),
    say: 'no ConsoleSpanExporter. The processor needs an exporter that writes the spans to the console.',
    at: [TELEMETRY, /spanProcessors/],
  },
  {
    when: ({ test, source }) => test.includes('failed question') && !source(LLM).includes('span.setStatus('),
    say: 'span.setStatus is missing in catch. Without it the span of a failed call does not count as an error.',
    at: [LLM, /catch/],
  },
  {
    when: ({ test, seen }) => test.includes('failed question') && seen.includes('status message is'),
    say: 'span.setStatus takes the message of the error beside the code.',
    at: [LLM, /setStatus/],
  },
  {
    when: ({ test, seen }) => test.includes('failed question') && seen.startsWith('Trace ids'),
    say: 'put the traceId on the error that you throw. The program prints it for the user.',
    at: [LLM, /throw/],
  },
  {
    when: ({ test, source }) => test.includes('failed question') && !source(LLM).includes('span.recordException('),
    say: 'span.recordException is missing in catch.',
    at: [LLM, /catch/],
  },
  {
    when: ({ test, seen }) => test.includes('failed question') && seen.includes('error.type is missing'),
    say: 'set the attribute error.type in catch, by its name in the semantic conventions: ATTR_ERROR_TYPE.',
    at: [LLM, /catch/],
  },
  {
    when: ({ test }) => test.includes('what it cost'),
    say: 'what is known before the call goes into the attributes of startActiveSpan, the rest comes from the answer.',
    at: [LLM, /startActiveSpan/],
  },
  {
    when: ({ test, seen }) => test.includes('resource') && seen.includes('telemetry.sdk'),
    say: 'the resource of your own takes the place of the default one. Merge it: defaultResource().merge(...).',
    at: [TELEMETRY, /resource:/, /new NodeSDK/],
  },
  {
    when: ({ test, source }) => test.includes('out of the telemetry') && !/resourceDetectors:/.test(source(TELEMETRY)),
    say: 'resourceDetectors is missing. Without it the SDK records the command line, and the question with it.',
    at: [TELEMETRY, /new NodeSDK/],
  },
  {
    when: ({ test, source }) =>
      test.includes('instance') && !/resourceDetectors:[^\]]*serviceInstanceIdDetector/.test(source(TELEMETRY)),
    say: 'serviceInstanceIdDetector is missing in resourceDetectors.',
    at: [TELEMETRY, /resourceDetectors/, /new NodeSDK/],
  },
  {
    when: ({ test, source }) =>
      test.startsWith('OTEL_') && !/resourceDetectors:[^\]]*envDetector/.test(source(TELEMETRY)),
    say: 'envDetector is missing in resourceDetectors. It reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.',
    at: [TELEMETRY, /resourceDetectors/, /new NodeSDK/],
  },
  {
    when: ({ test, source }) =>
      test.includes('resource') && !/resource:.*service\.name|ATTR_SERVICE_NAME\]/s.test(source(TELEMETRY)),
    say: 'the resource has no service.name. Without it nobody knows whose span it is.',
    at: [TELEMETRY, /resource:/, /new NodeSDK/],
  },
  {
    when: ({ test, source }) => test.includes('nothing is sent') && !/metricReaders: \[\]/.test(source(TELEMETRY)),
    say: 'metricReaders: [] is missing. The SDK sends a signal that you leave out to a collector on localhost.',
    at: [TELEMETRY, /new NodeSDK/],
  },
  {
    when: ({ test, source }) =>
      test.includes('opt in') && !/messageContent\('input'.*messageContent\('output'/s.test(source(LLM)),
    say: "genAi.messageContent('input', question) and ('output', ...) give the attributes of those who opt in.",
    at: [LLM, /messageContent/, /startActiveSpan/],
  },
];
