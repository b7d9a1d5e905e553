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
import { test } from 'vitest';
import { nanoseconds, sendOtlp } from './otlp.ts';

const QUEUE = "files of the Collector's queue";

const since = Date.now();

type Asking = { bodies: unknown[]; headers?: Record<string, string>; env: Record<string, string>; cwd?: string };

/** Asks, and reads what was answered and printed, and all that is stored when all of it is there. */
async function askAndRead({ bodies, headers, env, cwd }: Asking): Promise<Places> {
  const model = makeWord();
  await using services = await startServices({ env: { ...env, LLM_MODEL: model }, ...(cwd && { cwd }) });
  // Without a traceparent a tracestate says nothing.
  const traceparent = () => `00-${crypto.randomUUID().replaceAll('-', '')}-80f345e18ee169e9-01`;
  const ask = (body: unknown) => post(services.url, body, { ...headers, traceparent: traceparent() });
  const answers = await Promise.all(bodies.map(ask));
  const ids = answers.map(({ body }) => body.traceId);
  // Spans leave a service in their order. The last of the backend has the session, the last of the frontend is of no route.
  const sessionId = crypto.randomUUID();
  await post(services.url, { question: 'reply', sessionId });
  const notFound = (await (await fetch(`${services.url}/nothing-here`)).json()) as Asked['body'];
  const traces = [...ids, sessionId, notFound.traceId];
  const stored = await readStored(since, { traces, metrics: [model], 'log records': ids });
  const { stdout, stderr } = services.app;
  return { ...stored, answers: JSON.stringify(answers), stdout, stderr };
}

test.concurrent('of the key nothing is anywhere, of the reply only the answer, of what a stranger sends only tracestate', async ({
  expect,
}) => {
  const key = makeWord();
  const secrets = { key, question: makeWord(), reply: makeWord() };
  const known = () => String(makeKeys()['sk-...']);
  const headers = {
    authorization: `Bearer ${known()}`,
    cookie: `session=${known()}`,
    baggage: `user=${known()}`,
    'user-agent': known(),
    tracestate: `vendor=${known()}`,
  };
  const bodies = indiscreetQuestions.map((way) => ({ question: `${way} ${secrets.question}` }));
  await using provider = await startIndiscreetProvider(key, secrets.reply);
  const { [QUEUE]: queue = '', ...places } = await askAndRead({ bodies, headers, env: provider.env });

  expect(secretsIn({ ...places, queue }, secrets)).toEqual(['answers: reply']);
  // A Collector masks attributes, and tracestate is none. The local lane's receiver masks nothing, and keeps no tracestate.
  const recorded = [localLane ? 'user-agent' : 'tracestate'];
  expect(secretsIn(places, headers)).toEqual(recorded.map((name) => `traces: ${name}`));
  const { tracestate, ...masked } = headers;
  expect(secretsIn({ queue }, masked)).toEqual([]);
});

test.concurrent('a key that leaks is found, unless the Collector knows its shape; of a bug the cause is nowhere', async ({
  expect,
}) => {
  const keys = makeKeys();
  const bug = { message: String(makeKeys()['sk-...']), cause: makeWord() };
  await using provider = await startIndiscreetProvider(makeWord());
  await using leaking = await copyStep(join(import.meta.dirname, '..'));
  await makeLeak(leaking.dir, keys);
  const thrown = `      throw new Error('${bug.message}', { cause: new Error('${bug.cause}') });\n`;
  await edit(join(leaking.dir, 'src/llm.ts'), /(?<=const answer = .*\n)/, thrown);
  const asking = { bodies: [{ question: 'reply' }], env: provider.env, cwd: leaking.dir };
  const { [QUEUE]: queue = '', ...places } = await askAndRead(asking);

  const isMasked = (shape: string) => !localLane && shape === 'sk-...';
  const stored = ['traces', 'metrics', 'log records'].flatMap((place) =>
    Object.keys(keys).flatMap((shape) => (isMasked(shape) ? [] : [`${place}: ${shape}`])),
  );
  const printed = ['stdout', 'stderr'].flatMap((place) => Object.keys(keys).map((shape) => `${place}: ${shape}`));
  expect(secretsIn(places, keys)).toEqual([...stored, ...printed]);
  const recorded = localLane ? ['traces: message', 'log records: message'] : [];
  expect(secretsIn(places, bug)).toEqual([...recorded, 'stderr: message']);
  if (localLane) return;
  // What a batch that has left held is overwritten later: a file of the queue still has it.
  expect(secretsIn({ queue }, keys)).toContain('queue: a word');
  expect(secretsIn({ queue }, { ...bug, key: String(keys['sk-...']) })).toEqual([]);
});

test.skipIf(localLane)('what the Collector prints is read, too (local lane: there is none)', async () => {
  const word = makeWord();
  const point = { timeUnixNano: nanoseconds(), asInt: '1' };
  const bucket = { ...point, count: '1', sum: 1, bucketCounts: ['1'], explicitBounds: [] };
  // It complains of two kinds of one name.
  for (const kind of [
    { gauge: { dataPoints: [point] } },
    { histogram: { aggregationTemporality: 2, dataPoints: [bucket] } },
  ]) {
    await sendOtlp('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: word, ...kind }] }] }] });
  }

  await readStored(since, {
    'logs of the containers': [`instrument type conflict, using existing type definition. instrument: ${word}`],
  });
});
