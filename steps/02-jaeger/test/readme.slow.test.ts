import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runApp } from '@workshop/testkit/app';
import { appEnv, findSpans, findTrace, localLane, tracesUrl } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { traceIdsIn } from '@workshop/testkit/console';
import { copyStep, edit, fencesIn, headings, headingsIn } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const _before = join(step, '../01-console');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const QUESTION = 'What is a trace?';

test('the README has the headings of every step', () => {
  expect(headingsIn(readme)).toEqual(headings);
});

test('"Break it": without the flush the span is missing', async () => {
  await using broken = await copyStep(step);
  await edit(join(broken.dir, 'src/telemetry.ts'), 'onExit(() => sdk.shutdown());', '');
  const lost = await runApp([QUESTION], { cwd: broken.dir, env: appEnv });
  // When a later trace is there, the lost one would be too.
  const sent = await runApp([QUESTION], { env: appEnv });
  await findTrace(traceIdsIn(sent.stdout)[0]);

  expect(traceIdsIn(lost.stdout)).toHaveLength(1);
  expect(await findSpans({ traceId: String(traceIdsIn(lost.stdout)[0]) })).toEqual([]);
});

test.skipIf(!localLane || !canUseBrowser)(
  '"See it" without Docker: the receiver\'s page finds a failed question (with containers: Jaeger; needs a browser)',
  async () => {
    const failed = await runApp([QUESTION], { env: { ...appEnv, LLM_FAULT: 'malformed' } });
    const answered = await runApp([QUESTION], { env: appEnv });
    for (const { stdout } of [failed, answered]) await findTrace(traceIdsIn(stdout)[0]);
    const filter = String(/type `(error\.type = \w+)` into/.exec(readme)?.[1]);

    await using page = await openPage(tracesUrl);
    const statuses = (name: string) => page.getByText(name, { exact: true }).filter({ visible: true });
    await statuses('OK').first().waitFor();
    await page.getByRole('textbox', { name: 'Query' }).fill(filter);
    await expect.poll(() => statuses('OK').count(), { timeout: 5_000 }).toBe(0);
    await statuses('ERROR').first().click();
    await page.getByText(`Trace ID: ${traceIdsIn(failed.stdout)[0]}`).waitFor();
    await page.getByText('call_llm_api').last().click();
    await page.getByText('malformed_response').first().waitFor();
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

test('"Going further": a sampler keeps what the environment says', async () => {
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
});
