import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type App, startApp } from '@workshop/testkit/app';
import { appEnv, localLane, promQl, servedSeries } from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { changedLines, copyStep, edit, fencesIn, headings, headingsIn, runTests } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const step = join(import.meta.dirname, '..');
const before = join(step, '../02-jaeger');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const [breakIt, ...doIt] = fencesIn(readme, 'diff').reverse();
const soon = { timeout: 20_000, interval: 250 };
const LESSON = 'every call is counted';
const HINT = 'no PrometheusExporter among the metricReaders in src/telemetry.ts';

test('the README has the headings of every step', () => {
  expect(headingsIn(readme)).toEqual(headings);
});

test('what "Do it" changes turns step 02 into this step', async () => {
  await using done = await copyStep(before, doIt);
  expect(await changedLines(join(done.dir, 'src'), join(step, 'src'))).toBe(0);
  expect(await changedLines(join(before, 'src'), join(step, 'src'))).toBeLessThanOrEqual(40);
});

test("on step 02 this step's test fails, and says what is missing", async () => {
  await using untouched = await copyStep(before);
  const { exitCode, all } = await runTests(step, untouched.dir, LESSON);
  expect(exitCode).toBe(1);
  expect(all).toContain(HINT);
});

test('without the reader the test fails too', async () => {
  await using broken = await copyStep(step);
  await edit(join(broken.dir, 'src/telemetry.ts'), 'metricReaders: [metricReader]', 'metricReaders: []');
  const { exitCode, all } = await runTests(step, broken.dir, LESSON);
  expect(exitCode).toBe(1);
  expect(all).toContain(HINT);
});

test.skipIf(localLane)('the queries of "See it" answer (local lane: no PromQL)', async () => {
  const queries = fencesIn(readme, 'promql');
  expect(queries).toHaveLength(4);
  await using app = startApp([], { env: appEnv });
  await ask(app, 'What is a trace?', 'What is a span?');
  for (const query of queries) {
    await expect.poll(() => promQl(query), { ...soon, message: query }).not.toEqual([]);
    // A rate needs two scrapes with a difference between them.
    await ask(app, 'What is a metric?');
  }
});

test('answered and failed calls are two combinations, 34 series, however many questions', async () => {
  await using app = startApp([], { env: appEnv });
  await ask(app, 'What is a trace?', 'What is a span?');
  expect(await seriesOfDuration()).toBe(17);
  await ask(app, 'What is a metric?', 'What is a trace?');
  expect(await seriesOfDuration()).toBe(17);
});

test('"Break it": with the question as an attribute every question makes 15 buckets more', async () => {
  await using broken = await copyStep(step);
  const [, removed, added] = /^-(.*)\n\+(.*)$/m.exec(String(breakIt)) ?? [];
  await edit(join(broken.dir, 'src/llm.ts'), String(removed), String(added));
  await using app = startApp([], { cwd: broken.dir, env: appEnv });
  const buckets = async () => (await servedSeries('gen_ai_client_operation_duration_bucket')).length;

  await ask(app, 'one');
  expect(await buckets()).toBe(15);
  await ask(app, 'two', 'three');
  expect(await buckets()).toBe(45);
});

test('every alert has a summary, a description and a link that leads to its row in "On call"', async () => {
  const { groups } = parse(await readFile(join(step, 'alerts.yml'), 'utf8'));
  expect(groups[0].rules).toHaveLength(3);
  for (const { alert, annotations } of groups[0].rules) {
    const [path, heading] = annotations.runbook_url.split('#');
    expect(annotations).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
    expect(existsSync(join(step, '../..', path))).toBe(true);
    expect(heading).toBe('on-call');
    expect(readme).toContain(`| \`${alert}\` |`);
  }
});

async function seriesOfDuration(): Promise<number> {
  const parts = ['bucket', 'count', 'sum'].map((part) => servedSeries(`gen_ai_client_operation_duration_${part}`));
  return (await Promise.all(parts)).flat().length;
}

/** Asks questions one after the other, and waits for the replies. */
async function ask(app: App, ...questions: string[]): Promise<void> {
  const answered = traceIdsIn(app.stdout).length;
  for (const question of questions) app.type(`${question}\n`);
  await expect.poll(() => traceIdsIn(app.stdout).length, soon).toBe(answered + questions.length);
}
