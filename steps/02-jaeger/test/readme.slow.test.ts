import { exec } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { RandomIdGenerator, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { canUseTerminal, cleanEnv, runApp, startAppOnTerminal } from '@workshop/testkit/app';
import { appEnv, findSpans, findTrace, localLane, services, tracesUrl } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { traceIdsIn } from '@workshop/testkit/console';
import { applyPatches, copyStep, edit, fencesIn, missingLines, sectionOf } from '@workshop/testkit/readme';
import getPort from 'get-port';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const before = join(step, '../01-console');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const QUESTION = 'What is a trace?';
const FLUSH = 'onExit(() => sdk.shutdown());';

test('"Do it": after task 1 the span is lost, without a word; after task 2 it arrives', async () => {
  const [send = '', flush = ''] = fencesIn(readme, 'diff');
  await using work = await copyStep(before, [send]);
  const service = `task-${crypto.randomUUID()}`;
  const options = { cwd: work.dir, env: { ...appEnv, OTEL_SERVICE_NAME: service } };
  const lost = await runApp([QUESTION], options);
  // When a later trace is there, the lost one would be too.
  const sent = await runApp([QUESTION], { env: appEnv });
  await findTrace(traceIdsIn(sent.stdout)[0]);
  expectQuoted('Do it', 'Trace: ', lost.stdout);
  expect(lost.stderr).not.toMatch(/Telemetry|Lost/);
  expect(await services()).not.toContain(service);

  await applyPatches(work.dir, [flush]);
  const flushed = await runApp([QUESTION], options);
  await findTrace(traceIdsIn(flushed.stdout)[0]);
  expect(await services()).toContain(service);
});

test.skipIf(localLane)('"Run it": the link under the reply (local lane: another page)', async () => {
  const { stdout } = await runApp([QUESTION], { env: appEnv });
  expectQuoted('Run it', 'Trace: ', stdout);
});

test('"What was sent": the body of the request', async () => {
  await using receiver = await startReceiver();
  await runApp([QUESTION], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url } });
  const attribute = /\{\s+"key": (.*),\s+"value": \{\s+(.*)\s+\}\s+\}/g;
  const sent = receiver.bodies.map((body) => JSON.stringify(body, null, 2)).join('\n');

  const onOneLine = sent.replace(attribute, '{ "key": $1, "value": { $2 } }');
  expectQuoted('See it', '"resourceSpans"', onOneLine);
});

test('"When it was sent": of the spans of one loop a batch and a queue arrive, whatever OTEL_BSP_... says', async () => {
  const [, made, arrived] = /We made ([\d,]+) spans in one loop\. ([\d,]+) of them arrived/.exec(readme) ?? [];
  await using loop = await copyStep(step);
  await writeFile(
    join(loop.dir, 'src/app.ts'),
    `import { context, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('loop');
const root = tracer.startSpan('never_ended');
const parent = trace.setSpan(context.active(), root);
for (let i = 0; i < ${made?.replace(',', '')}; i++) tracer.startSpan('one_of_many', {}, parent).end();
console.log('Trace: ' + root.spanContext().traceId);`,
  );
  const env = { ...appEnv, OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10' };
  const { stdout, stderr } = await runApp([], { cwd: loop.dir, env });

  const count = Number(arrived?.replace(',', ''));
  expect(await findTrace(traceIdsIn(stdout)[0], count)).toHaveLength(count);
  expect(stderr).toContain('Spans are dropped: too many wait to be sent.');
});

test.skipIf(!localLane || !canUseBrowser)(
  '"See it" without Docker: the receiver\'s page finds a failed question (with containers: Jaeger; needs a browser)',
  async () => {
    const [fault, sampled] = [{ LLM_FAULT: 'malformed' }, { OTEL_SERVICE_NAME: 'sampled' }];
    await runApp([QUESTION], { env: { ...appEnv, ...fault, ...sampled } });
    const failed = await runApp([QUESTION], { env: { ...appEnv, ...fault } });
    const answered = await runApp([QUESTION], { env: { ...appEnv, ...sampled } });
    for (const { stdout } of [failed, answered]) await findTrace(traceIdsIn(stdout)[0]);
    const [, error = '', service = '', both = ''] =
      /type `(error\.type = \w+)` into.*type `(service\.name = \w+)` into.*`(service.* AND .*?)`/s.exec(readme) ?? [];

    await using page = await openPage(tracesUrl);
    const statuses = (name: string) => page.getByText(name, { exact: true }).filter({ visible: true });
    const filter = page.getByRole('textbox', { name: 'Query' });
    await statuses('OK').first().waitFor();
    await filter.fill(both);
    const shown = async () => [await statuses('OK').count(), await statuses('ERROR').count()];
    await expect.poll(shown, { timeout: 5_000 }).toEqual([0, 1]);
    await filter.fill(service);
    await expect.poll(shown, { timeout: 5_000 }).toEqual([1, 1]);
    await filter.fill(error);
    await expect.poll(shown, { timeout: 5_000 }).toEqual([0, expect.any(Number)]);
    await statuses('ERROR').first().click();
    await page.getByText(`Trace ID: ${traceIdsIn(failed.stdout)[0]}`).waitFor();
    await page.getByText('call_llm_api').last().click();
    const details = [/^Attributes/, 'malformed_response', 'deployment.environment.name'];
    for (const detail of details) await page.getByText(detail).first().waitFor();
  },
);

test.skipIf(localLane)('"See it" and "On call": what Jaeger\'s search finds (local lane: another page)', async () => {
  const service = `failed-${crypto.randomUUID()}`;
  const env = { ...appEnv, OTEL_SERVICE_NAME: service };
  const failed = await runApp([QUESTION], { env: { ...env, LLM_FAULT: 'malformed' } });
  const answered = await runApp([QUESTION], { env });
  for (const { stdout } of [failed, answered]) await findTrace(traceIdsIn(stdout)[0]);
  const [, errorType] = /type `error\.type=(\w+)`/.exec(readme) ?? [];

  const found = async (tags: Record<string, unknown>) => {
    const query = new URLSearchParams({ service, tags: JSON.stringify(tags) });
    const { data } = (await (await fetch(`${tracesUrl}/api/traces?${query}`)).json()) as {
      data: { traceID: string }[];
    };
    return data.map(({ traceID }) => traceID);
  };
  expect(await found({ 'error.type': errorType })).toEqual(traceIdsIn(failed.stdout));
  expect(readme).toContain('The tag `error=true` finds nothing');
  expect(await found({ error: 'true' })).toEqual([]);
});

test.each([
  ['questions', ''],
  ['failed questions', ' --set LLM_FAULT=malformed'],
])(
  '"Keep only some of the traces": of ten %s those with a link are in the backend, the others are not',
  async (_name, more) => {
    const service = `sampled-${crypto.randomUUID()}`;
    const command = fencesIn(sectionOf(readme, 'See it'), 'sh').find((fence) => fence.includes('OTEL_TRACES_SAMPLER'));
    const ours = command?.trim().replace('OTEL_SERVICE_NAME=sampled', `OTEL_SERVICE_NAME=${service}`);
    const run = promisify(exec)(`${ours}${more}`, { cwd: step, env: { ...cleanEnv(), ...appEnv } });
    const { stdout }: { stdout: string } = await run.catch((failed) => failed); // exit code 1 when a question failed

    const lines = [...stdout.matchAll(/^Trace: (\w+) {2}(?:(not sampled)|http:\S+)$/gm)];
    expect(lines).toHaveLength(10);
    const sampled = lines.filter(([, , notSampled]) => !notSampled).map(([, traceId]) => String(traceId));
    for (const traceId of sampled) await findTrace(traceId);
    const later = await runApp([QUESTION], { env: appEnv });
    await findTrace(traceIdsIn(later.stdout)[0]); // when this one is there, the others would be too
    const landed = await findSpans({ service });
    expect(landed.map(({ traceId }) => traceId).sort()).toEqual(sampled.sort());
    const error = more && 'malformed_response';
    for (const { attributes } of landed) expect(attributes['error.type'] ?? '').toBe(error);
  },
);

test('"Keep only some of the traces": a sampler keeps some, not all', async () => {
  const service = `sampled-${crypto.randomUUID()}`;
  const env = {
    ...appEnv,
    OTEL_SERVICE_NAME: service,
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.5',
  };
  const { stdout } = await runApp([], { input: `${QUESTION}\n`.repeat(60), env });
  expect(traceIdsIn(stdout)).toHaveLength(60);
  await expect.poll(() => findSpans({ service }), { timeout: 10_000 }).not.toEqual([]);
  const kept = await findSpans({ service });
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThan(60);
  expectQuoted('See it', 'Trace: ', stdout.replaceAll('/#trace=', '/trace/')); // the receiver's links, as Jaeger's
});

test('"Keep only some of the traces": in 98 of 100 tries it keeps between 2 and 8 of ten', () => {
  const [, percent, least, most] = /in (\d+) of 100 tries you count between (\d+) and (\d+)/.exec(readme) ?? [];
  const sampler = new TraceIdRatioBasedSampler(0.5);
  const ids = new RandomIdGenerator();
  const isKept = () => sampler.shouldSample(ROOT_CONTEXT, ids.generateTraceId()).decision > 0;
  const tries = Array.from({ length: 10_000 }, () => Array.from({ length: 10 }, isKept).filter(Boolean).length);
  const within = tries.filter((kept) => kept >= Number(least) && kept <= Number(most)).length;
  expect(Math.abs(within / 100 - Number(percent)), `Percent of tries: ${within / 100}`).toBeLessThan(1);
});

test('"Break it": the receiver is down, the reply comes all the same', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${await getPort()}` };
  const { stdout, stderr, exitCode } = await runApp([QUESTION], { env });
  expect(stdout).toContain('"joke": ');
  expectQuoted('Break it', 'Telemetry', stderr);
  expect(exitCode).toBe(0);
});

test.skipIf(!canUseTerminal)(
  '"Break it": without the flush the first trace arrives, what was asked just before Ctrl-C does not (on Linux: needs script)',
  async () => {
    expect(readme).toContain(`Delete \`${FLUSH}\``);
    await using broken = await copyStep(step);
    await edit(join(broken.dir, 'src/telemetry.ts'), FLUSH, '');
    await using app = startAppOnTerminal([], { cwd: broken.dir, env: appEnv });
    await app.shows(/How can I help You Today\?/);
    app.type(`${QUESTION}\r`);
    await app.shows(/Trace: /);
    await findTrace(traceIdsIn(app.stdout)[0]);
    app.type(`${QUESTION}\r`);
    await app.shows(/Trace: .*Trace: /s);
    app.type('\x03');
    await app.ended;
    const sent = await runApp([QUESTION], { env: appEnv });
    await findTrace(traceIdsIn(sent.stdout)[0]); // when this one is there, the lost one would be too

    expect(await findSpans({ traceId: String(traceIdsIn(app.stdout)[1]) })).toEqual([]);
  },
);

test('"Going further": the child span finds its parent', async () => {
  await using extended = await copyStep(step);
  const childSpan = String(fencesIn(readme, 'ts')[0]);
  await edit(join(extended.dir, 'src/llm.ts'), /(?<=const answer = .*\n)/, childSpan);
  const { stdout } = await runApp([QUESTION], { cwd: extended.dir, env: appEnv });

  const spans = await findTrace(traceIdsIn(stdout)[0], 2);
  const parent = spans.find(({ name }) => name === 'call_llm_api');
  const child = spans.find(({ name }) => name === 'read_reply');
  expect(child).toMatchObject({ parentSpanId: parent?.spanId, attributes: { 'llm.reply.words': expect.any(Number) } });
});

/** Expects that what a section quotes, known by its first words, is in a real output. */
function expectQuoted(section: string, start: string, output: string): void {
  const fence = fencesIn(sectionOf(readme, section), '').find((text) => text.startsWith(start));
  expect(fence, `What "${section}" in README.md quotes from ${start}`).toBeDefined();
  expect(missingLines(String(fence), output), `What "${section}" in README.md quotes, and the output lacks`).toEqual(
    [],
  );
}

/** Takes the place of Jaeger: keeps what is sent. */
async function startReceiver() {
  const bodies: unknown[] = [];
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') bodies.push(await json(request));
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
