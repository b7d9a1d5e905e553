import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type App, startApp } from '@workshop/testkit/app';
import { appEnv, findTrace, localLane, metricsPage, promQl, servedSeries } from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { copyStep, edit, fencesIn, headings, headingsIn, sectionOf } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const [breakIt] = fencesIn(sectionOf(readme, 'Break it'), 'diff');
const soon = { timeout: 20_000, interval: 250 };

test('the README has the headings of every step', () => {
  expect(headingsIn(readme)).toEqual(headings);
});

test.each([
  ['answered', 0, {}],
  ['failed', 1, { LLM_FAULT: 'malformed' }],
])('"See it" shows lines that the app serves: %s', async (_name, block, env) => {
  await using app = startApp([], { env: { ...appEnv, ...env } });
  await ask(app, 'What is a trace?');
  const quoted = String(fencesIn(readme, 'text')[block]).trim().split('\n').map(withoutValue);
  expect((await metricsPage()).split('\n').map(withoutValue)).toEqual(expect.arrayContaining(quoted));
});

test('"What changed" says which attributes metric and span share, and which only the span has', async () => {
  const [answered, failed] = [await namesOf({}), await namesOf({ LLM_FAULT: 'malformed' })];
  const onSpans = new Set([...answered.onSpan, ...failed.onSpan]);
  expect([...onSpans].sort()).toEqual([...attributesOf('yes'), ...attributesOf('no')].sort());
  const labels = attributesOf('yes').map((name) => name.replaceAll('.', '_'));
  expect(failed.onMetric.sort()).toEqual([...labels, 'otel_scope_name'].sort());
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

test.skipIf(localLane)(
  'every alert links to a page that has its row of "On call" (local lane: no alerts)',
  async () => {
    const { groups } = parse(await readFile(join(step, 'alerts.yml'), 'utf8'));
    expect(groups[0].rules).toHaveLength(3);
    for (const { alert, annotations } of groups[0].rules) {
      expect(annotations).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
      const page = await fetch(annotations.runbook_url.replace(':9090', `:${appEnv.PROMETHEUS_PORT}`));
      expect(page.status, `${annotations.runbook_url}: is README.md mounted in compose.yaml?`).toBe(200);
      expect(page.headers.get('content-type')).toContain('text/plain');
      expect(await page.text()).toContain(`| \`${alert}\` |`);
    }
  },
);

/** The names of a question's attributes, and of its metric's labels. */
async function namesOf(env: Record<string, string>) {
  await using app = startApp([], { env: { ...appEnv, ...env } });
  await ask(app, 'What is a trace?');
  const [span] = await findTrace(traceIdsIn(app.stdout)[0]);
  const [series] = await servedSeries('gen_ai_client_operation_duration_count');
  return { onSpan: Object.keys(span?.attributes ?? {}), onMetric: Object.keys(series?.labels ?? {}) };
}

function withoutValue(line: string): string {
  return line.replace(/ \S+$/, '');
}

/** The attributes of the table in "What changed" that are on the span and, `yes` or `no`, on the metric. */
function attributesOf(onMetric: string): string[] {
  const rows = [...readme.matchAll(/^\| (`.*`.*?) \| (yes|no)\b.* \| yes \|$/gm)];
  const names = rows.filter(([, , metric]) => metric === onMetric).map(([, cell]) => cell);
  return [...names.join().matchAll(/`(.*?)`/g)].map(([, name]) => String(name));
}

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
