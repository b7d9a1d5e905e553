import OpenAI, { BadRequestError } from 'openai';
import { type Answer, readCompletion } from './completion.ts';
import { startEmbeddedModel } from './embedded.ts';
import { LlmError } from './error.ts';
import { toLlmError } from './failure.ts';
import { providerOf } from './provider.ts';
import { type Reply, replySchema, systemPrompt } from './reply.ts';
import { readSettings } from './settings.ts';

export { type Answer, LlmError, type Reply, systemPrompt };

/** After a connection error, a time-out of the provider's, 429 or 5xx; all within LLM_TIMEOUT_MS. */
const MAX_RETRIES = 2;
/** A shorter one is no secret but a word that a local server wants, such as `ollama`. */
const MIN_KEY_LENGTH = 12;

export type Llm = {
  /** What `ask` posts to. */
  url: string;
  address: string;
  port: number;
  /** `gen_ai.provider.name`: a known provider, or `workshop.embedded`. */
  provider: string;
  model: string;
  /** Asks once, with retries, for at most LLM_TIMEOUT_MS. Throws an LlmError, `cancelled` when `signal` aborts. */
  ask(question: string, options?: { signal?: AbortSignal | undefined }): Promise<Answer>;
};

/**
 * Connects to the provider that LLM_BASE_URL, LLM_API_KEY and LLM_MODEL name, or else starts the embedded model.
 * Throws an Error that says which setting is wrong.
 */
export async function connectLlm(env: NodeJS.ProcessEnv = process.env): Promise<Llm> {
  const settings = readSettings(env);
  const embedded = !settings.LLM_BASE_URL;
  const baseURL = settings.LLM_BASE_URL ?? (await startEmbeddedModel(env));
  const model = settings.LLM_BASE_URL ? String(settings.LLM_MODEL) : 'workshop-stand-in';
  if (embedded)
    console.error('No LLM_BASE_URL: the embedded stand-in answers, not a language model (see .env.example).');

  const url = new URL(`${baseURL}/chat/completions`);
  const client = new OpenAI({
    baseURL,
    // Local servers want no key; the client insists on one.
    apiKey: settings.LLM_API_KEY ?? 'none',
    organization: null,
    project: null,
    maxRetries: MAX_RETRIES,
    timeout: settings.LLM_TIMEOUT_MS,
    logLevel: 'off',
    // The question and the key go where LLM_BASE_URL says, and nowhere else.
    fetchOptions: { redirect: 'manual' },
  });
  const name = embedded ? 'the embedded model' : url.host;
  let structured = true;

  async function complete(question: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await client.chat.completions.create(
        {
          model,
          messages: [
            { role: 'system', content: systemPrompt },
            { role: 'user', content: question },
          ],
          ...(structured && {
            response_format: { type: 'json_schema', json_schema: { name: 'reply', strict: true, schema: replySchema } },
          }),
        },
        { signal },
      );
    } catch (error) {
      const refused = error instanceof BadRequestError && /response_format|json_schema/.test(error.message);
      if (!structured || !refused) throw error;
      structured = false;
      return complete(question, signal);
    }
  }

  async function ask(question: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Answer> {
    const deadline = AbortSignal.timeout(settings.LLM_TIMEOUT_MS);
    const stop = AbortSignal.any(signal ? [signal, deadline] : [deadline]);
    try {
      return withoutKey(readCompletion(await Promise.race([complete(question, stop), aborted(stop)])));
    } catch (error) {
      if (signal?.aborted) throw new LlmError('cancelled', 'Cancelled before the model answered.', { cause: error });
      throw deadline.aborted ? timedOut(error) : toLlmError(error, name);
    }
  }

  /** An answer goes into telemetry and onto the screen, and some providers repeat the key in it. */
  function withoutKey(answer: Answer): Answer {
    const key = settings.LLM_API_KEY;
    if (!key || key.length < MIN_KEY_LENGTH) return answer;
    const mask = (_name: string, value: unknown) => (typeof value === 'string' ? value.replaceAll(key, '****') : value);
    return JSON.parse(JSON.stringify(answer, mask));
  }

  function timedOut(cause: unknown): LlmError {
    const seconds = settings.LLM_TIMEOUT_MS / 1000;
    const message = `No answer from ${name} within ${seconds} s. Ask again; LLM_TIMEOUT_MS allows more time.`;
    return new LlmError('timeout', message, { cause });
  }

  return {
    url: url.href,
    address: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    provider: embedded ? 'workshop.embedded' : providerOf(url.hostname),
    model,
    ask,
  };
}

/** Rejects when `signal` aborts: the client's pause between retries does not listen to it. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
