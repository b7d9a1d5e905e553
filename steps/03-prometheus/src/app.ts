import { runPrompt } from '@workshop/runtime/prompt';
import { traceLink } from '@workshop/runtime/trace-link';
import { callLlm } from './llm.ts';

await runPrompt(callLlm, traceLink);
