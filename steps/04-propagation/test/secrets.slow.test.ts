import { join } from 'node:path';
import { localLane } from '@workshop/testkit/backends';
import { copyStep, edit } from '@workshop/testkit/readme';
import {
  indiscreetQuestions,
  makeKeys,
  makeLeak,
  makeWord,
  type Places,
  secretsIn,
  startIndiscreetProvider,
} from '@workshop/testkit/secrets';
import { type Asked, post, startServices } from '@workshop/testkit/services';
import { readStored } from '@workshop/testkit/stored';
import { expect, test } from 'vitest';

const since = Date.now();
const backendsOfMetrics = localLane ? [] : ['metrics'];

type Asking = {
  bodies: unknown[];
  headers?: Record<string, string>;
  path?: string;
  env: Record<string, string>;
  cwd?: string;
};

/** Asks, and reads what was answered and printed, and all that is stored when all of it is there. */
async function askAndRead({ bodies, headers, path = 'nothing-here', env, cwd }: Asking): Promise<Places> {
  const model = makeWord();
  await using services = await startServices({ env: { ...env, LLM_MODEL: model }, scraped: true, ...(cwd && { cwd }) });
  // Without a traceparent a tracestate says nothing.
  const traceparent = () => `00-${crypto.randomUUID().replaceAll('-', '')}-80f345e18ee169e9-01`;
  const ask = (body: unknown) => post(services.url, body, { ...headers, traceparent: traceparent() });
  const answers: { body: Asked['body'] }[] = await Promise.all(bodies.map(ask));
  // Spans leave a service in their order. The last of the backend has the session, the last of the frontend is of no route.
  const sessionId = crypto.randomUUID();
  await post(services.url, { question: 'reply', sessionId });
  const notFound = await fetch(`${services.url}/${path}`);
  answers.push({ body: (await notFound.json()) as Asked['body'] });
  const marks = Object.fromEntries(['pages of metrics', ...backendsOfMetrics].map((place) => [place, [model]]));
  const ids = answers.map(({ body }) => body.traceId);
  const stored = await readStored(since, { ...marks, traces: [...ids, sessionId] });
  const { stdout, stderr } = services.app;
  return { ...stored, answers: JSON.stringify(answers), stdout, stderr };
}

test('of the key nothing is anywhere, of the reply only the answer, of what a stranger sends only what SECURITY.md says', async () => {
  const key = makeWord();
  const secrets = { key, question: makeWord(), reply: makeWord() };
  const headers = {
    authorization: `Bearer ${makeWord()}`,
    cookie: `session=${makeWord()}`,
    'x-api-key': makeWord(),
    baggage: `user=${makeWord()}`,
    'uberctx-user': makeWord(),
    'user-agent': makeWord(),
    'x-forwarded-for': makeWord(),
    tracestate: `vendor=${makeWord()}`,
  };
  const bodies = [
    ...indiscreetQuestions.map((way) => ({ question: `${way} ${secrets.question}` })),
    `{"question": "${secrets.question}`,
    { question: 'reply', sessionId: secrets.question },
    { question: secrets.question.repeat(250) },
  ];
  const address = { path: makeWord(), query: makeWord() };
  await using provider = await startIndiscreetProvider(key, secrets.reply);
  const path = `${address.path}?q=${address.query}`;
  const places = await askAndRead({ bodies, headers, path, env: provider.env });

  expect(secretsIn(places, secrets)).toEqual(['answers: reply']);
  // This lane's receiver does not keep tracestate.
  const recorded = ['user-agent', 'x-forwarded-for', ...(localLane ? [] : ['tracestate'])];
  expect(secretsIn(places, headers)).toEqual(recorded.map((name) => `traces: ${name}`));
  expect(secretsIn(places, address)).toEqual(['traces: path', 'traces: query']);
  expect(secretsIn({ 'requests to the model': JSON.stringify(provider.requests) }, headers)).toEqual([]);
});

test('a key that leaks is found; of a bug the message is recorded, its cause nowhere', async () => {
  const keys = makeKeys();
  const bug = { message: makeWord(), cause: makeWord() };
  await using provider = await startIndiscreetProvider(makeWord());
  await using leaking = await copyStep(join(import.meta.dirname, '..'));
  await makeLeak(leaking.dir, keys);
  const thrown = `      throw new Error('${bug.message}', { cause: new Error('${bug.cause}') });\n`;
  await edit(join(leaking.dir, 'src/llm.ts'), /(?<=const answer = .*\n)/, thrown);
  const places = await askAndRead({ bodies: [{ question: 'reply' }], env: provider.env, cwd: leaking.dir });

  const leaks = ['traces', ...backendsOfMetrics, 'pages of metrics', 'stdout', 'stderr'];
  expect(secretsIn(places, keys)).toEqual(
    leaks.flatMap((place) => Object.keys(keys).map((shape) => `${place}: ${shape}`)),
  );
  expect(secretsIn(places, bug)).toEqual(['traces: message', 'stderr: message']);
});
