import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '@workshop/backends/ports';
import type { Span } from '@workshop/backends/spans';
import { findStep, type Step } from '@workshop/lessons/steps';
import { cleanEnv, start } from '@workshop/testkit/app';
import { appEnv, findSpans, findTrace, localLane } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { makePlayground } from '@workshop/testkit/playground';
import { applyPatches, copyStep, edit, fencesIn, missingLines, runTests, sectionOf } from '@workshop/testkit/readme';
import { type Services, startServices } from '@workshop/testkit/services';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const QUESTION = 'What is a trace?';
const THEIRS = '80f345e18ee169e90ae2a009f8eb3ef9';
const CONTEXT_HEADER = /traceparent|baggage|uber-trace-id|uberctx/;

const step = join(import.meta.dirname, '..');
const thisStep = findStep('04') as Step;
const readme = await readFile(join(step, 'README.md'), 'utf8');
const doIt = sectionOf(readme, 'Do it');
const [asked = '', traceparent = '', toBackend = '', joined = '', withSession = '', toModel = ''] = fencesIn(
  doIt,
  'text',
);

test.concurrent('Task 1 makes two traces of one question', async () => {
  await using playground = await playgroundAfter(1);
  await using services = await startServices({ cwd: playground.dir });
  const output = await workshopAsk(services);
  expect(missingLines(localLane ? asked.replace('/trace/', '/#trace=') : asked, output)).toEqual([]);

  const ofFrontend = await findTrace(traceIdIn(output), 2);
  expect(ofFrontend.map(({ resource }) => resource['service.name'])).toEqual(['frontend', 'frontend']);
  // The backend's half is there too, as a trace of its own.
  const ofBackend = await findTrace((await requestToBackend(services)).traceId, 3);
  expect(ofBackend.map(({ resource }) => resource['service.name'])).toEqual(['backend', 'backend', 'backend']);
  expect(ofBackend[0]?.traceId).not.toBe(ofFrontend[0]?.traceId);
  expect(ofBackend.filter(({ parentSpanId }) => !parentSpanId)).toMatchObject([{ kind: 'SERVER' }]);

  const [, seen = 'no quoted line'] = /After Task 1 it says `(.*?)`/.exec(sectionOf(readme, 'Check it')) ?? [];
  const { all } = await runTests(playground.dir, 'both services start|one question is one trace');
  expect(all).toContain(seen);
});

test.concurrent('the parts of the traceparent are those of its table, and the backend gets one like it', async () => {
  const parts = traceparent.trim().replace('traceparent: ', '').split('-');
  const rows = ['version', 'trace id', 'parent span id', 'flags'].map((part, i) => `| ${part} | \`${parts[i]}\` |`);
  for (const row of rows) expect(readme).toContain(row);

  await using playground = await playgroundAfter(2);
  await using recorder = await startRecorder();
  await using services = await startServices({ cwd: playground.dir, env: { BACKEND_URL: recorder.url } });
  const output = await workshopAsk(services);
  expect(missingLines(toBackend, output)).toEqual([]);
  const [, traceId, spanId] = /"traceparent": "00-(\w+)-(\w+)-01"/.exec(output) ?? [];
  const spans = await findTrace(traceId, 2);
  expect(spans.find(({ kind }) => kind === 'CLIENT')?.spanId).toBe(spanId);
});

test.concurrent('Task 2 makes one trace, and the curl of an old client joins its own', async () => {
  await using playground = await playgroundAfter(2);
  await using services = await startServices({ cwd: playground.dir });
  const spans = await findTrace(traceIdIn(await workshopAsk(services)), 5);
  const names = spans.map(({ resource }) => resource['service.name']);
  expect(names.sort()).toEqual(['backend', 'backend', 'backend', 'frontend', 'frontend']);

  const curl = fencesIn(doIt, 'sh').find((command) => command.includes('uber-trace-id'));
  const { stdout } = await execa(String(curl).replace('http://localhost:8080', services.url), { shell: true });
  expect(missingLines(joined, stdout)).toEqual([]);
  const { reply, traceId } = JSON.parse(stdout);
  expect(reply.text).toContain('A trace is');
  expect(traceId).toBe(THEIRS);
  const ofClient = (await findTrace(traceId, 5)).filter(({ parentSpanId }) => parentSpanId === '80f345e18ee169e9');
  expect(ofClient.length).toBeGreaterThan(0);
});

test.concurrent('Task 3, the session: it travels to the backend, onto the span, and to the model', async () => {
  await using playground = await playgroundAfter(3);
  await using services = await startServices({ cwd: playground.dir });
  expect(callIn(await findTrace(traceIdIn(await workshopAsk(services)), 5))?.attributes).toHaveProperty('session.id');

  await using backend = await startRecorder();
  await using toRecorder = await startServices({ cwd: playground.dir, env: { BACKEND_URL: backend.url } });
  expect(missingLines(withSession, await workshopAsk(toRecorder))).toEqual([]);

  await using model = await startRecorder();
  await using withRecorder = await startServices({ cwd: playground.dir, env: modelAt(model.url) });
  expect(await workshopAsk(withRecorder)).toContain('No reply (malformed_response)');
  expect(missingLines(toModel, model.stdout)).toEqual([]);
  expect(toModel.match(/'[^']+',$/gm)).toHaveLength(4);
});

test.concurrent('Task 3, the model: it gets none of the headers, and the trace has its CLIENT span', async () => {
  await using playground = await playgroundAfter(4);
  await using model = await startRecorder();
  await using services = await startServices({
    cwd: playground.dir,
    env: { ...modelAt(model.url), LLM_API_KEY: 'key' },
  });
  const traceId = traceIdIn(await workshopAsk(services));
  expect(model.stdout).toContain("'content-type': 'application/json'");
  expect(model.stdout).not.toMatch(CONTEXT_HEADER);
  expect(model.stdout, 'The recorder leaves out the key').not.toContain('authorization');
  const clients = (await findTrace(traceId, 5)).filter(({ kind }) => kind === 'CLIENT');
  expect(clients.map(({ attributes }) => attributes['url.full'])).toContain(`${model.url}/v1/chat/completions`);
});

test
  .skipIf(!canUseBrowser)
  .concurrent(
    '"Run it": opening the page makes three traces of one span each (needs Chromium or Chrome; CHROMIUM_PATH names one)',
    async () => {
      await using services = await startServices();
      await using page = await openPage(services.url);
      await page.getByRole('button', { name: 'Ask' }).click();
      await page.locator('#trace a').waitFor();
      await findTrace(await page.locator('#trace a').innerText(), 5); // those of the page came before it

      const spans = (await findSpans({ service: 'frontend' })).filter(isOf(services.url));
      const gets = spans.filter(({ attributes }) => attributes['http.request.method'] === 'GET');
      expect(gets.map(({ attributes }) => attributes['url.path']).sort()).toEqual(['/', '/script.js', '/style.css']);
      expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(4);
      expect(gets.filter(({ parentSpanId }) => parentSpanId)).toEqual([]);
      expect(spans.filter(({ name }) => name === 'POST /ask')).toHaveLength(1);
    },
  );

test.concurrent('"See it": the same traceparent three times is one trace of three requests', async () => {
  await using services = await startServices();
  const traceId = crypto.randomUUID().replaceAll('-', '');
  for (let i = 0; i < 3; i++) await services.ask(QUESTION, { traceparent: `00-${traceId}-80f345e18ee169e9-01` });
  const spans = await findTrace(traceId, 15);
  expect(spans.filter(({ parentSpanId }) => parentSpanId === '80f345e18ee169e9')).toHaveLength(3);
});

test.concurrent('"Going further": as an edge the frontend joins no trace from outside, and the backend joins the frontend\'s', async () => {
  await using edge = await copyStep(step, fencesIn(sectionOf(readme, 'Going further'), 'diff'));
  await using services = await startServices({ cwd: edge.dir });
  for (const context of [
    { traceparent: `00-${THEIRS}-80f345e18ee169e9-00`, tracestate: 'vendor=1' },
    { 'uber-trace-id': `${THEIRS}:80f345e18ee169e9:0:0`, baggage: 'session.id=theirs' },
  ]) {
    const { status, body } = await services.ask(QUESTION, context);
    expect(status).toBe(200);
    expect(body).toMatchObject({ traceId: expect.not.stringContaining(THEIRS), sampled: true });
    const spans = await findTrace(body.traceId, 5);
    expect(spans.filter(({ parentSpanId }) => !parentSpanId).map(({ kind }) => kind)).toEqual(['SERVER']);
    expect(callIn(spans)?.attributes['session.id']).toMatch(/^[0-9a-f-]{36}$/);
  }
});

test.concurrent('"Break it": a queue loses the context, and context.bind keeps it', async () => {
  const [queue = '', bind = ''] = fencesIn(sectionOf(readme, 'Break it'), 'diff');
  await using broken = await copyStep(step, [queue]);
  await using lost = await startServices({ cwd: broken.dir });
  const { status, body } = await lost.ask(QUESTION);
  expect(status).toBe(200);
  const second = await findTrace((await requestToBackend(lost)).traceId, 4);
  const [root] = second.filter(({ parentSpanId }) => !parentSpanId);
  expect(root).toMatchObject({ kind: 'CLIENT', resource: { 'service.name': 'frontend' } });
  expect(callIn(second)?.attributes).not.toHaveProperty('session.id');
  expect(await findTrace(body.traceId)).toMatchObject([{ kind: 'SERVER', name: 'POST /ask' }]);

  await applyPatches(broken.dir, [bind]);
  await using kept = await startServices({ cwd: broken.dir });
  // Two questions: when the second trace is there, all that the first one made is there too.
  const ids = [(await kept.ask(QUESTION)).body.traceId, (await kept.ask(QUESTION)).body.traceId];
  for (const traceId of ids) {
    const spans = await findTrace(traceId, 5);
    expect(spans).toHaveLength(5);
    expect(callIn(spans)?.attributes).toHaveProperty('session.id');
  }
  const spans = [...(await findSpans({ service: 'frontend' })), ...(await findSpans({ service: 'backend' }))];
  const made = spans.filter((span) => isOf(kept.url)(span) || isOf(kept.backendUrl)(span));
  expect(new Set(made.map(({ traceId }) => traceId)), 'The traces of two questions').toEqual(new Set(ids));
});

test.concurrent('"Break it": without withoutPropagation() the test shows what the model is sent', async () => {
  await using broken = await copyStep(step);
  await edit(
    join(broken.dir, 'src/llm.ts'),
    'withoutPropagation(() => llm.ask(question, { signal }))',
    'llm.ask(question, { signal })',
  );
  const { exitCode, all } = await runTests(broken.dir, 'to the model no context travels');
  expect(exitCode).toBe(1);
  expect(all).toContain('uber-trace-id');
});

test.concurrent('"Break it": with Jaeger last a broken uber-trace-id destroys the trace', async () => {
  await using broken = await copyStep(step);
  await edit(
    join(broken.dir, 'src/propagation.ts'),
    'new JaegerPropagator(), new W3CBaggagePropagator(), new W3CTraceContextPropagator()',
    'new W3CBaggagePropagator(), new W3CTraceContextPropagator(), new JaegerPropagator()',
  );
  const { exitCode, all } = await runTests(broken.dir, 'a broken uber-trace-id');
  expect(exitCode).toBe(1);
  expect(all).toMatch(/Tests {2}2 failed/);
  expect(all).toContain('The trace that goes on');
});

test.concurrent('"On call": when the model fails, its tries are the deepest red spans, and those of the services have the 502', async () => {
  const [, fault = ''] = /--set LLM_FAULT=(server-error)/.exec(sectionOf(readme, 'On call')) ?? [];
  await using services = await startServices({ env: { LLM_FAULT: fault } });
  const spans = await findTrace((await services.ask(QUESTION)).body.traceId, 7);
  const call = callIn(spans);
  const errors = (some: Span[]) => some.map(({ status, attributes }) => [status.code, attributes['error.type']]);
  const tries = spans.filter(({ parentSpanId }) => parentSpanId === call?.spanId);
  expect(errors(tries)).toEqual(Array(3).fill(['ERROR', '500']));
  const above = spans.filter((span) => span !== call && !tries.includes(span));
  expect(errors(above)).toEqual(Array(3).fill(['ERROR', '502']));
});

test.concurrent('"On call": a slow model shows in its own span, a delay in the frontend in none', async () => {
  await using delayed = await copyStep(step);
  const delay = /`(await new Promise.*?;)`/.exec(readme)?.[1];
  await edit(join(delayed.dir, 'src/frontend.ts'), '  const asked = await', `  ${delay}\n  const asked = await`);
  await using services = await startServices({ cwd: delayed.dir, env: { LLM_FAULT: 'slow' } });
  const { status, body } = await services.ask(QUESTION);

  expect(status).toBe(200);
  const spans = await findTrace(body.traceId, 5);
  for (const { durationMs } of spans) expect(durationMs).toBeGreaterThanOrEqual(5_000);
  const leaves = spans.filter(({ spanId }) => !spans.some(({ parentSpanId }) => parentSpanId === spanId));
  expect(leaves).toMatchObject([{ kind: 'CLIENT', resource: { 'service.name': 'backend' } }]);
  const seconds = (kind: string) =>
    Number(spans.find((span) => span.resource['service.name'] === 'frontend' && span.kind === kind)?.durationMs) / 1000;
  expect(seconds('SERVER') - seconds('CLIENT')).toBeGreaterThanOrEqual(1.9);
});

test
  .skipIf(localLane)
  .concurrent('every alert links to a page that has its row of "On call" (local lane: no alerts)', async () => {
    const alerts = await readFile(join(step, 'alerts.yml'), 'utf8');
    const links = [...alerts.matchAll(/alert: (\w+).*?runbook_url: (\S+)/gs)];
    expect(links).toHaveLength(3);
    for (const [, alert, link] of links) {
      const page = await fetch(String(link).replace(':9090', `:${appEnv.PROMETHEUS_PORT}`));
      expect(page.status, `${link}: is README.md mounted in compose.yaml?`).toBe(200);
      expect(await page.text()).toContain(`| \`${alert}\` |`);
    }
  });

/** A playground in which the first `count` solutions of "Do it" are applied. */
async function playgroundAfter(count: number) {
  const solutions = [...doIt.matchAll(/<summary>Solution<\/summary>\n(.*?)<\/details>/gs)].map(([, text]) =>
    String(text),
  );
  const playground = await makePlayground(thisStep, false);
  await applyPatches(
    playground.dir,
    solutions.slice(0, count).flatMap((solution) => fencesIn(solution, 'diff')),
  );
  return playground;
}

/** The recorder of the README, on a port of its own. */
async function startRecorder() {
  const [, code = ''] = /^node -e "(.*)"$/m.exec(doIt) ?? [];
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const recorder = start('node', ['-e', code.replace('8091', String(port))], {});
  await expect
    .poll(
      () =>
        fetch(url, { method: 'HEAD' }).then(
          ({ ok }) => ok,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true);
  return Object.assign(recorder, { url });
}

function modelAt(url: string): Record<string, string> {
  const [command = ''] = fencesIn(doIt, 'sh').filter((sh) => sh.includes('LLM_BASE_URL'));
  const settings = [...command.matchAll(/--set (\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
  const env = Object.fromEntries(settings);
  return { ...env, LLM_BASE_URL: env.LLM_BASE_URL.replace('http://localhost:8091', url) };
}

/** What `npx workshop ask` prints. */
async function workshopAsk({ url }: Services): Promise<string> {
  const env = { ...cleanEnv(), FRONTEND_PORT: new URL(url).port };
  const { all } = await execa('workshop', ['ask', QUESTION], {
    preferLocal: true,
    env,
    extendEnv: false,
    all: true,
    reject: false,
  });
  return all;
}

function traceIdIn(output: string): string | undefined {
  return /^Trace: ([0-9a-f]{32})/m.exec(output)?.[1];
}

function callIn(spans: Span[]): Span | undefined {
  return spans.find(({ name }) => name === 'call_llm_api');
}

function isOf(url: string): (span: Span) => boolean {
  return ({ attributes }) => String(attributes['server.port']) === new URL(url).port;
}

/** The backend's span of its one request, once it has landed. */
async function requestToBackend({ backendUrl }: Services): Promise<Span> {
  const requests = async () =>
    (await findSpans({ service: 'backend' })).filter(isOf(backendUrl)).filter(({ kind }) => kind === 'SERVER');
  await expect.poll(requests, { timeout: 10_000 }).toHaveLength(1);
  const [request] = await requests();
  return request as Span;
}
