import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setInterval as everyMilliseconds } from 'node:timers/promises';
import { freePort } from '@workshop/backends/ports';
import { start } from '@workshop/testkit/app';
import { appEnv, findLogs, findSeries, findSpans, localLane } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { type Asked, post } from '@workshop/testkit/services';
import { expect, test } from 'vitest';

const soon = { timeout: 30_000, interval: 500 };
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const UNAVAILABLE = { type: 'unavailable', message: 'The backend does not answer. Does it run?' };

test.skipIf(localLane)(
  'one of two backends is killed: what the other answers is whole (local lane: no Collector)',
  async () => {
    const model = `model-${crypto.randomUUID()}`;
    await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
    const env = { ...provider.env, LLM_MODEL: model };
    await using killed = await startService('backend', env);
    await using other = await startService('backend', env);
    await using balancer = await startBalancer([killed.port, other.port]);
    await using frontend = await startService('frontend', { BACKEND_URL: balancer.url });
    const ask = () => post(frontend.url, { question: 'What is a trace?' });
    const first = await ask(); // by the one that is killed, as soon as it has sent a batch
    const isWhole = async ({ body }: Asked) => (await findSpans({ traceId: body.traceId })).length === 5;
    const asking: Promise<Asked>[] = [];
    let last = Number.POSITIVE_INFINITY;
    const killing = expect
      .poll(() => isWhole(first), soon)
      .toBe(true)
      .then(() => {
        killed.app.signal('SIGKILL');
        last = asking.length + 80;
      });
    for await (const _ of everyMilliseconds(50)) {
      asking.push(ask());
      if (asking.length >= last) break;
    }
    await killing;
    const asked = [first, ...(await Promise.all(asking))];
    const failed = asked.filter(({ status }) => status !== 200);
    const sentTo = (port: number) => asked.filter(({ body }) => balancer.portOf(body.traceId) === port);
    const others = sentTo(other.port);
    const answered = sentTo(killed.port).filter((question) => !failed.includes(question));

    // A balancer that does not look whether they run sends every second question to the one that was killed.
    expect(others.length).toBe(Math.floor(asked.length / 2));
    expect(others.filter((question) => failed.includes(question))).toEqual([]);
    expect(failed.length).toBeGreaterThanOrEqual(39);
    for (const { status, body } of failed)
      expect({ status, error: body.error }).toEqual({ status: 502, error: UNAVAILABLE });
    expect(frontend.app.isRunning).toBe(true);

    const sizes = (questions: Asked[]) =>
      Promise.all(questions.map(async ({ body }) => (await findSpans({ traceId: body.traceId })).length));
    await expect.poll(() => sizes(others), soon).toEqual(others.map(() => 5));
    await expect.poll(() => sizes(failed), soon).toEqual(failed.map(() => 2));
    // What it had not sent yet: of these questions only the frontend's spans are there.
    const left = await sizes(answered);
    expect(new Set(left)).toEqual(new Set([2, 5]));

    const counts = async () => {
      const series = await findSeries('gen_ai_client_operation_duration_seconds_count', {
        gen_ai_request_model: model,
      });
      return series.map(({ value }) => value).sort((a, b) => a - b);
    };
    const message = 'Two backends, two sets of series';
    await expect.poll(counts, { ...soon, message }).toEqual([expect.any(Number), others.length]);
    const records = await Promise.all(answered.map(({ body }) => findLogs(body.traceId)));
    const lost = {
      spans: 3 * left.filter((size) => size === 2).length,
      records: records.filter(({ length }) => length === 0).length,
      calls: answered.length - Number((await counts())[0]),
    };
    expect(lost.calls).toBeGreaterThanOrEqual(0);
    console.log(
      `Killed: ${failed.length} of ${asked.length} questions failed. Of ${answered.length} that it answered, lost`,
      lost,
    );
  },
);

/** Starts one service alone, on a free port, and waits until it listens. */
async function startService(name: 'frontend' | 'backend', env: Record<string, string>) {
  const port = await freePort();
  const args = ['--import', './src/telemetry.ts', `src/${name}.ts`];
  const app = start(process.execPath, args, {
    env: { ...appEnv, OTEL_SERVICE_NAME: name, [`${name.toUpperCase()}_PORT`]: String(port), ...env },
  });
  await app.shows(/listening on/);
  return { app, port, url: `http://localhost:${port}`, [Symbol.asyncDispose]: app[Symbol.asyncDispose] };
}

/** Starts a proxy that sends every request to the next of the ports, in turn. One that gets no answer ends without one. */
async function startBalancer(ports: number[]) {
  const sentTo = new Map<string, number>();
  const server = createServer((incoming, response) => {
    const port = Number(ports[sentTo.size % ports.length]);
    // traceparent: 00-TRACE_ID-SPAN_ID-FLAGS
    sentTo.set(String(incoming.headers.traceparent).slice(3, 35), port);
    const { method, url, headers } = incoming;
    const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      response.writeHead(Number(answer.statusCode), answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Where the request of a trace went. */
    portOf: (traceId: string) => sentTo.get(traceId),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
