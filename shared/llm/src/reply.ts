import { z } from 'zod';
import { LlmError } from './error.ts';

export const systemPrompt = `You are a helpful assistant. Answer the user's question with one JSON object that has exactly these four keys, each a text in double quotes:
- "query": the question as you understood it
- "joke": a short joke about its topic
- "text": the answer, in at most three sentences
- "question": one question that the user could ask next
Put the JSON object into a fence that starts with \`\`\`markdown and ends with \`\`\`, and write nothing else.`;

const Reply = z.object({ query: z.string(), joke: z.string(), text: z.string(), question: z.string() });

export type Reply = z.infer<typeof Reply>;

/** The reply's shape for providers that can be held to a JSON schema. */
export const replySchema = z.toJSONSchema(Reply);

/** More than this is no answer to a question, and would flood the terminal. */
const MAX_REPLY_LENGTH = 1_000_000;

/**
 * Reads the model's text: JSON, bare or in a fence or wrapped in prose.
 * `responseLength` counts the code points of the text with the fence removed.
 * Throws an LlmError `malformed_response`.
 */
export function readReply(text: string): { reply: Reply; responseLength: number } {
  if (text.length > MAX_REPLY_LENGTH) throw malformed('it is longer than a million characters');
  const content = withoutFence(text.trim());
  const json = content.slice(content.indexOf('{'), content.lastIndexOf('}') + 1);
  const parsed = Reply.safeParse(parseJson(json));
  if (!parsed.success) throw malformed(`these are missing or no texts: ${fieldsOf(parsed.error)}`, parsed.error);
  return { reply: parsed.data, responseLength: [...content].length };
}

function withoutFence(text: string): string {
  const fenced = /(?:^|\n)```\w*[^\S\n]*\n(.*)\n[^\S\n]*```/s.exec(text);
  return fenced?.[1]?.trim() ?? text;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw malformed('it is not JSON, or was cut off', cause);
  }
}

function fieldsOf(error: z.ZodError): string {
  return error.issues.map((issue) => issue.path.join('.') || 'all').join(', ');
}

function malformed(why: string, cause?: unknown): LlmError {
  return new LlmError(
    'malformed_response',
    `The model's answer cannot be read: ${why}. Ask again, or choose another model in LLM_MODEL.`,
    { cause },
  );
}
