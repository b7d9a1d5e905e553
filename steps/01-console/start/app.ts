import { runPrompt } from '@workshop/runtime/prompt';
import { callLlm } from './llm.ts';

await runPrompt(callLlm);
