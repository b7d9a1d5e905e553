import type { Cause } from '@workshop/testkit/causes';

const TELEMETRY = 'src/telemetry.ts';
const PROPAGATION = 'src/propagation.ts';
const FRONTEND = 'src/frontend.ts';
const LLM = 'src/llm.ts';
const INSTRUMENTATIONS = /instrumentations:/;
const SDK = /new NodeSDK/;

/** What goes wrong in this step, beside what goes wrong in every step: looked for from above. */
export const causes: Cause[] = [
  {
    when: ({ source }) => !source(TELEMETRY).includes('new HttpInstrumentation'),
    say: 'nothing makes spans of the requests that come in. Add HttpInstrumentation to the instrumentations.',
    at: [TELEMETRY, INSTRUMENTATIONS, SDK],
  },
  {
    when: ({ source }) => !source(TELEMETRY).includes('new UndiciInstrumentation'),
    say: 'fetch makes no span and sends no context. Add UndiciInstrumentation to the instrumentations.',
    at: [TELEMETRY, INSTRUMENTATIONS, SDK],
  },
  {
    when: ({ source }) => !source(TELEMETRY).includes('new ExpressInstrumentation'),
    say: 'nothing gives the spans their route. Add ExpressInstrumentation to the instrumentations.',
    at: [TELEMETRY, INSTRUMENTATIONS, SDK],
  },
  {
    when: ({ source }) => !/register\(\{[^}]*express/.test(source(TELEMETRY)),
    say: "Express cannot be instrumented. Call register({ include: ['express', 'http', 'node:http'] }) before new NodeSDK.",
    at: [TELEMETRY, /register\(/, SDK],
  },
  {
    when: ({ test, source }) => test.includes('one trace') && !source(TELEMETRY).includes('ignoreLayersType'),
    say: 'every layer of Express makes a span of its own. Leave them out with ignoreLayersType.',
    at: [TELEMETRY, /new ExpressInstrumentation/],
  },
  {
    when: ({ source }) =>
      !/textMapPropagator: propagator|textMapPropagator: new|textMapPropagator,/.test(source(TELEMETRY)),
    say: 'the SDK does not get your propagator. Set textMapPropagator.',
    at: [TELEMETRY, /textMapPropagator/, SDK],
  },
  {
    when: ({ source }) => !source(PROPAGATION).includes('new W3CTraceContextPropagator()'),
    say: 'W3CTraceContextPropagator is missing among the propagators. It writes traceparent.',
    at: [PROPAGATION, /propagators:/],
  },
  {
    when: ({ source }) => !source(PROPAGATION).includes('new W3CBaggagePropagator()'),
    say: 'W3CBaggagePropagator is missing among the propagators. It writes baggage.',
    at: [PROPAGATION, /propagators:/],
  },
  {
    when: ({ source }) => !source(PROPAGATION).includes('new JaegerPropagator()'),
    say: 'JaegerPropagator is missing among the propagators. It writes uber-trace-id.',
    at: [PROPAGATION, /propagators:/],
  },
  {
    when: ({ test, source }) =>
      test.includes('does not destroy') && /new W3CTraceContext.*new JaegerPropagator/s.test(source(PROPAGATION)),
    say: 'JaegerPropagator reads last, and the last one wins. Put the standard, W3CTraceContextPropagator, last.',
    at: [PROPAGATION, /propagators:/],
  },
  {
    when: ({ test, source }) => test.includes('health') && !source(TELEMETRY).includes('ignoreIncomingRequestHook'),
    say: 'health checks and scrapes make spans. Leave them out with ignoreIncomingRequestHook.',
    at: [TELEMETRY, /new HttpInstrumentation/],
  },
  {
    when: ({ seen, source }) => /session|baggage/.test(seen) && !source(FRONTEND).includes('setBaggage('),
    say: 'the frontend sets no baggage. Make it with propagation.createBaggage, and set it with propagation.setBaggage.',
    at: [FRONTEND, /createBaggage/, /fetch\(/],
  },
  {
    when: ({ seen, source }) => /session|baggage/.test(seen) && !source(FRONTEND).includes('context.with('),
    say: 'the baggage is in a context that nothing runs in. Call fetch inside context.with.',
    at: [FRONTEND, /setBaggage/],
  },
  {
    when: ({ test, source }) => /session/.test(test) && !/getActiveBaggage\(\)[^;]*session\.id/s.test(source(LLM)),
    say: 'the call does not read the baggage. propagation.getActiveBaggage() has the entry session.id.',
    at: [LLM, /getActiveBaggage/, /const attributes/],
  },
  {
    when: ({ test, source }) => /session/.test(test) && !/'session\.id'\s*[:\]]/.test(source(LLM)),
    say: "the span does not get the session. Add 'session.id' to its attributes.",
    at: [LLM, /const attributes/],
  },
  {
    when: ({ test, source }) => test.includes('in all formats') && /get(Active)?Baggage\(/.test(source(FRONTEND)),
    say: 'what a stranger sends goes on to the backend. Replace the baggage that comes in: make a new one.',
    at: [FRONTEND, /get(Active)?Baggage\(/],
  },
  {
    when: ({ test, source }) => test.startsWith('to the model') && !/withoutPropagation\(\(\) =>/.test(source(LLM)),
    say: 'the model gets your ids and your baggage. Call it inside withoutPropagation.',
    at: [LLM, /llm\.ask/],
  },
  {
    when: ({ test, source }) => test.startsWith('to the model') && !/override inject/.test(source(PROPAGATION)),
    say: 'the propagator writes its headers always. Override inject, and write nothing when the context says so.',
    at: [PROPAGATION, /class/, /propagator =/],
  },
];
