// Secrets that a test plants, and the search for them in what came out.
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { completion, send, startProvider } from './provider.ts';
import { edit } from './readme.ts';

/** What was read, one text for each place. */
export type Places = Record<string, string>;

/** Keys that are new at each run, by their shape: a redaction that looks for `sk-` knows only the first. */
export function makeKeys(): Record<string, string> {
  const header = base64(JSON.stringify({ alg: 'HS256', typ: 'JWT' }));
  return {
    'sk-...': `sk-${random(24)}`,
    'a bearer token': random(32),
    'a JWT': `${header}.${base64(JSON.stringify({ sub: random(9) }))}.${random(32)}`,
    'a word': makeWord(),
  };
}

/** A word that stands nowhere else. */
export function makeWord(): string {
  return Array.from(randomBytes(20), (byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

function random(bytes: number): string {
  return base64(randomBytes(bytes));
}

/** Without a hyphen: `sk-` within would be taken for the begin of a key. */
function base64(bytes: string | Uint8Array): string {
  return Buffer.from(bytes).toString('base64url').replaceAll('-', '_');
}

/**
 * Edits a step's src/llm.ts so that all attributes of a call hold `secrets`, and all that the program prints: what a search
 * must find.
 */
export async function makeLeak(dir: string, secrets: Record<string, string>): Promise<void> {
  const leak = JSON.stringify(secrets);
  const code = `console.log('${leak}');\nconsole.error('${leak}');\nconst callAttributes = {\n  ...${leak},`;
  await edit(join(dir, 'src/llm.ts'), 'const callAttributes = {', code);
}

/** Where secrets were found, as in `stderr: the key`. Also a secret of which only the end is there counts. */
export function secretsIn(places: Places, secrets: Record<string, string>): string[] {
  return Object.entries(places).flatMap(([place, text]) =>
    Object.entries(secrets)
      .filter(([, secret]) => text.includes(secret.slice(-12)))
      .map(([name]) => `${place}: ${name}`),
  );
}

/** How the provider of `startIndiscreetProvider` answers, by the first word of the question: each answer repeats the key. */
const indiscretions: Record<string, (key: string, response: ServerResponse, word: string) => void> = {
  reply: (key, response, word) => {
    const reply = { query: key, joke: key, text: `${word} ${key}`, question: key };
    const [choice] = completion(JSON.stringify(reply)).choices;
    send(response, 200, { ...completion(''), id: key, model: key, choices: [{ ...choice, finish_reason: key }] });
  },
  malformed: (key, response) => send(response, 200, completion(`{"joke": "${key}"`)),
  page: (key, response) => send(response, 200, `<p>${key}</p>`),
  unauthorized: (key, response) => {
    response.statusMessage = `Incorrect API key provided: ${key}`;
    const error = { message: response.statusMessage, type: key, code: key, param: key };
    send(response, 401, { error }, { 'www-authenticate': `Bearer realm="${key}"`, 'x-request-id': key });
  },
  refused: (key, response) => send(response, 400, { error: { message: `${key} is out of credit` } }),
  busy: (key, response) => send(response, 429, { error: { message: key } }, { 'retry-after-ms': '1' }),
  broken: (key, response) => send(response, 500, `<p>${key}</p>`, { 'retry-after-ms': '1', 'set-cookie': `k=${key}` }),
  moved: (key, response) => send(response, 307, '', { location: `/v1/${key}?api_key=${key}` }),
};

/** Questions to the provider of `startIndiscreetProvider`, a way to answer each. */
export const indiscreetQuestions = Object.keys(indiscretions);

/** Starts a provider that repeats the key wherever an answer has room for it, as real ones do after a 401. */
export async function startIndiscreetProvider(key: string, replyWord = '') {
  const provider = await startProvider(({ body }, response) => {
    const [, { content = '' } = {}] = body.messages as { content?: string }[];
    const [way = ''] = content.split(' ');
    indiscretions[way]?.(key, response, replyWord);
  });
  return { ...provider, env: { ...provider.env, LLM_API_KEY: key } };
}
