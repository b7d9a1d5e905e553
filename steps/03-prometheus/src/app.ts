import { runPrompt } from '@workshop/runtime/prompt';
import { callLlm } from './llm.ts';

const jaeger = `http://localhost:${process.env.JAEGER_UI_PORT || 16686}`;

await runPrompt(callLlm, (traceId) => `${jaeger}/trace/${traceId}`);
