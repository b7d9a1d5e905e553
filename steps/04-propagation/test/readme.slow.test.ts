import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findStep, type Step } from '@workshop/lessons/steps';
import { appEnv, findSpans, findTrace, localLane } from '@workshop/testkit/backends';
import { makePlayground } from '@workshop/testkit/playground';
import { applyPatches, copyStep, edit, fencesIn, headings, headingsIn, runTests } from '@workshop/testkit/readme';
import { startServices } from '@workshop/testkit/services';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const thisStep = findStep('04') as Step;
const readme = await readFile(join(step, 'README.md'), 'utf8');
const [doIt = '', after = ''] = readme.split('## Run it');
const [partA = '', partB = ''] = doIt.split('### B: one trace');

test('the README has the headings of every step', () => {
  expect(headingsIn(readme)).toEqual(headings);
});

test('part A makes two traces of one question, part B one', async () => {
  await using broken = await makePlayground(thisStep, false);
  await applyPatches(broken.dir, fencesIn(partA, 'diff'));
  await using servicesA = await startServices({ cwd: broken.dir });
  const { status, body } = await servicesA.ask('What is a trace?');
  expect(status).toBe(200);
  const ofFrontend = await findTrace(body.traceId, 2);
  expect(ofFrontend.map(({ resource }) => resource['service.name'])).toEqual(['frontend', 'frontend']);
  // The backend's half is there too, as a trace of its own.
  const { port } = new URL(servicesA.backendUrl);
  const ofBackend = async () =>
    (await findSpans({ service: 'backend' })).filter(({ attributes }) => String(attributes['server.port']) === port);
  await expect.poll(ofBackend, { timeout: 10_000 }).toMatchObject([{ kind: 'SERVER', parentSpanId: undefined }]);
  expect((await ofBackend())[0]?.traceId).not.toBe(body.traceId);

  await using servicesB = await startServices();
  const one = await servicesB.ask('What is a trace?');
  const names = (await findTrace(one.body.traceId, 5)).map(({ resource }) => resource['service.name']);
  expect(names.sort()).toEqual(['backend', 'backend', 'backend', 'frontend', 'frontend']);
});

test('part C: the curl of an old Jaeger client joins its trace', async () => {
  await using services = await startServices();
  const curl = fencesIn(partB, 'sh').find((command) => command.includes('uber-trace-id'));
  const { stdout } = await execa(String(curl).replace('http://localhost:8080', services.url), { shell: true });
  const { reply, traceId } = JSON.parse(stdout);
  expect(reply.text).toContain('A trace is');
  expect(traceId).toBe('80f345e18ee169e90ae2a009f8eb3ef9');
  const joined = (await findTrace(traceId, 5)).filter(({ parentSpanId }) => parentSpanId === '80f345e18ee169e9');
  expect(joined.length).toBeGreaterThan(0);
});

test('"Going further": as an edge the frontend joins no trace from outside, and the backend joins the frontend\'s', async () => {
  await using edge = await copyStep(step, fencesIn(after, 'diff'));
  await using services = await startServices({ cwd: edge.dir });
  const theirs = '80f345e18ee169e90ae2a009f8eb3ef9';
  for (const context of [
    { traceparent: `00-${theirs}-80f345e18ee169e9-00`, tracestate: 'vendor=1' },
    { 'uber-trace-id': `${theirs}:80f345e18ee169e9:0:0`, baggage: 'session.id=theirs' },
  ]) {
    const { status, body } = await services.ask('What is a trace?', context);
    expect(status).toBe(200);
    expect(body).toMatchObject({ traceId: expect.not.stringContaining(theirs), sampled: true });
    const spans = await findTrace(body.traceId, 5);
    expect(spans.filter(({ parentSpanId }) => !parentSpanId).map(({ kind }) => kind)).toEqual(['SERVER']);
    const call = spans.find(({ name }) => name === 'call_llm_api');
    expect(call?.attributes['session.id']).toMatch(/^[0-9a-f-]{36}$/);
  }
});

test('"Break it": without withoutPropagation() the test shows what the model is sent', async () => {
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

test('"Break it": with Jaeger last a broken uber-trace-id destroys the trace', async () => {
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

test('"On call": a slow model shows in its own span, a delay in the frontend in none', async () => {
  await using delayed = await copyStep(step);
  const delay = /`(await new Promise.*?;)`/.exec(readme)?.[1];
  await edit(join(delayed.dir, 'src/frontend.ts'), '  const asked = await', `  ${delay}\n  const asked = await`);
  await using services = await startServices({ cwd: delayed.dir, env: { LLM_FAULT: 'slow' } });
  const { status, body } = await services.ask('What is a trace?');

  expect(status).toBe(200);
  const spans = await findTrace(body.traceId, 5);
  const seconds = (service: string, kind: string) =>
    Number(spans.find((span) => span.resource['service.name'] === service && span.kind === kind)?.durationMs) / 1000;
  expect(seconds('backend', 'CLIENT')).toBeGreaterThanOrEqual(5);
  expect(seconds('frontend', 'SERVER') - seconds('frontend', 'CLIENT')).toBeGreaterThanOrEqual(1.9);
});

test.skipIf(localLane)(
  'every alert links to a page that has its row of "On call" (local lane: no alerts)',
  async () => {
    const alerts = await readFile(join(step, 'alerts.yml'), 'utf8');
    const links = [...alerts.matchAll(/alert: (\w+).*?runbook_url: (\S+)/gs)];
    expect(links).toHaveLength(3);
    for (const [, alert, link] of links) {
      const page = await fetch(String(link).replace(':9090', `:${appEnv.PROMETHEUS_PORT}`));
      expect(page.status, `${link}: is README.md mounted in compose.yaml?`).toBe(200);
      expect(await page.text()).toContain(`| \`${alert}\` |`);
    }
  },
);
