import { testMistakes } from '@workshop/testkit/mistakes';

const TELEMETRY = 'src/telemetry.ts';
const LLM = 'src/llm.ts';

testMistakes({ at: [TELEMETRY], says: 'no NodeSDK yet' }, [
  {
    name: 'sdk.start() forgotten',
    file: TELEMETRY,
    from: 'sdk.start();',
    to: '',
    at: [TELEMETRY],
    says: 'sdk.start()',
  },
  {
    name: 'no processor',
    file: TELEMETRY,
    from: /spanProcessors: .*/,
    to: 'spanProcessors: [],',
    at: [TELEMETRY, 'spanProcessors'],
    says: 'no processor in spanProcessors',
  },
  {
    name: 'an option mistyped, which JavaScript ignores',
    file: TELEMETRY,
    from: 'spanProcessors:',
    to: 'spanProcessor:',
    at: [TELEMETRY, 'spanProcessor:'],
    says: "Did you mean to write 'spanProcessors'",
  },
  { name: 'span.end() forgotten', file: LLM, from: 'span.end();', to: '', at: [LLM], says: 'span.end() is missing' },
  {
    name: 'a failure without its status',
    file: LLM,
    from: /span\.setStatus.*/,
    to: '',
    at: [LLM],
    says: 'span.setStatus is missing',
  },
  {
    name: 'error.type mistyped',
    file: LLM,
    from: 'setAttribute(ATTR_ERROR_TYPE',
    to: "setAttribute('error_type'",
    at: [LLM],
    says: 'ATTR_ERROR_TYPE',
  },
  {
    name: 'no attributes of the answer',
    file: LLM,
    from: 'span.setAttributes(responseAttributes(answer));',
    to: '',
    at: [LLM],
    says: 'the rest comes from the answer',
  },
  {
    name: 'no service.instance.id',
    file: TELEMETRY,
    from: '[serviceInstanceIdDetector, envDetector]',
    to: '[envDetector]',
    at: [TELEMETRY, 'resourceDetectors'],
    says: 'serviceInstanceIdDetector is missing',
  },
  {
    name: 'the environment is not read',
    file: TELEMETRY,
    from: '[serviceInstanceIdDetector, envDetector]',
    to: '[serviceInstanceIdDetector]',
    at: [TELEMETRY, 'resourceDetectors'],
    says: 'envDetector is missing',
  },
  {
    name: 'metricReaders: [] forgotten',
    file: TELEMETRY,
    from: 'metricReaders: [],',
    to: '',
    at: [TELEMETRY],
    says: 'metricReaders: [] is missing',
  },
  {
    name: 'the error is not thrown on',
    file: LLM,
    from: /throw Object.*/,
    to: '',
    at: [LLM],
    says: 'not thrown on',
  },
]);
