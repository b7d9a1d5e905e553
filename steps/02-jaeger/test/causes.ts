import type { Cause } from '@workshop/testkit/causes';

const TELEMETRY = 'src/telemetry.ts';

/** What goes wrong in this step, in the order in which it is looked for. */
export const causes: Cause[] = [
  {
    when: ({ source }) => source(TELEMETRY).includes('ConsoleSpanExporter'),
    say: 'spans still go to the console. Replace ConsoleSpanExporter by OTLPTraceExporter, which sends them to Jaeger.',
    at: [TELEMETRY, /new ConsoleSpanExporter/, /ConsoleSpanExporter/],
  },
  {
    when: ({ source }) => !source(TELEMETRY).includes('new OTLPTraceExporter'),
    say: 'no OTLPTraceExporter: nothing sends the spans.',
    at: [TELEMETRY, /spanProcessors/],
  },
  {
    when: ({ stderr, source }) => stderr.includes('Telemetry was not sent') && /\burl:/.test(source(TELEMETRY)),
    say: "the exporter's url is wrong. Leave it out: OTEL_EXPORTER_OTLP_ENDPOINT sets it.",
    at: [TELEMETRY, /\burl:/],
  },
  {
    when: ({ source }) => !/onExit\(.*shutdown\(\)/s.test(source(TELEMETRY)),
    say: 'the last batch stays in memory when the program ends. Add onExit(() => sdk.shutdown()) behind sdk.start().',
    at: [TELEMETRY, /onExit\(/, /sdk\.start/],
  },
  {
    when: ({ source }) => /onExit\(.*=>\s*\{(?!.*\b(return|await)\b)/s.test(source(TELEMETRY)),
    say: 'inside { } the promise of sdk.shutdown() is lost, so nothing waits for it. Write onExit(() => sdk.shutdown()).',
    at: [TELEMETRY, /onExit\(/],
  },
  {
    when: ({ seen, source }) => seen.includes('The link') && !/runPrompt\(.*traceLink/.test(source('src/app.ts')),
    say: 'runPrompt needs traceLink as its second argument.',
    at: ['src/app.ts', /runPrompt\(/],
  },
];
