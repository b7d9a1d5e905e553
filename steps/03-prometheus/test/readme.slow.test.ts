import { exec } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { composeProject } from '@workshop/backends/compose';
import { seriesOn } from '@workshop/backends/prometheus';
import { DURATION_BOUNDARIES } from '@workshop/llm/semconv';
import { type App, startApp } from '@workshop/testkit/app';
import {
  appEnv,
  findSeries,
  findTrace,
  localLane,
  metricsPage,
  prometheus,
  promQl,
  servedSeries,
} from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { applyPatches, copyStep, edit, fencesIn, masked, sectionOf } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const texts = fencesIn(readme, 'text');
const view = fencesIn(sectionOf(readme, 'Going further'), 'diff');
const [breakIt] = fencesIn(sectionOf(readme, 'Break it'), 'diff');
const soon = { timeout: 20_000, interval: 250 };

test('task 1: the page shows the resource, and nothing measured yet', async () => {
  await using begun = await copyStep(step);
  await cp(join(step, '../02-jaeger/src'), join(begun.dir, 'src'), { recursive: true });
  await applyPatches(begun.dir, fencesIn(sectionOf(readme, 'Do it'), 'diff').slice(0, 1));
  await using app = startApp([], { cwd: begun.dir, env: appEnv });
  await ask(app, 'What is a trace?');
  await expectOnPage(0);
});

test.each([
  ['task 2, answered', 1, {}, ['What is a trace?']],
  ['task 2, failed', 2, { LLM_FAULT: 'malformed' }, ['What is a trace?']],
  ['"See it"', 3, {}, ['What is a trace?', 'What is a span?', 'What is a metric?']],
])('the app serves the lines of %s', async (_name, block, env, questions) => {
  await using app = startApp([], { env: { ...appEnv, ...env } });
  await ask(app, ...questions);
  await expectOnPage(block);
});

test('"See it" calculates with the values of its lines', () => {
  const { calls, seconds, buckets } = quotedDuration();
  const faster = Number(buckets[0]?.value);
  const text = sectionOf(readme, 'See it');
  expect(text).toContain(`${seconds.toFixed(3)} / ${calls} = ${(seconds / calls).toFixed(3)} seconds`);
  expect(text).toContain(`${calls} - ${faster} = ${calls - faster} call`);
  expect(text).toContain(`from ${calls} to ${calls + 5}, and 5 / 60 = ${(5 / 60).toFixed(3)} calls per second`);
});

test.skipIf(localLane)('Prometheus finds the quantile of "See it" in its lines (local lane: no PromQL)', async () => {
  const buckets = quotedDuration().buckets.map(
    ({ le, value }) => `label_replace(vector(${value}), "le", "${le}", "", "")`,
  );
  const [quantile] = await promQl(`histogram_quantile(0.95, ${buckets.join(' or ')})`);
  expect(quantile?.value.toFixed(3)).toBe(/0\.02 \+ 0\.85 × 0\.02 = (\S+) seconds/.exec(readme)?.[1]);
});

test('your prediction: answered and failed calls make 34 series, and one more question adds none', async () => {
  const replies = ['no JSON', 'no JSON', ...Array(9).fill('{"query":"q","joke":"j","text":"t","question":"?"}')];
  await using provider = await startProvider((_request, response) => send(response, 200, completion(replies.shift())));
  await using app = startApp([], { env: { ...appEnv, ...provider.env } });
  await ask(app, ...Array(10).fill('What is a trace?'));
  expect(await seriesOfDuration()).toBe(34);
  await ask(app, 'What is a metric?');
  expect(await seriesOfDuration()).toBe(34);
});

test('"What changed" says which attributes metric and span share, and which only the span has', async () => {
  const [answered, failed] = [await namesOf({}), await namesOf({ LLM_FAULT: 'malformed' })];
  const onSpans = new Set([...answered.onSpan, ...failed.onSpan]);
  expect([...onSpans].sort()).toEqual([...attributesOf('yes'), ...attributesOf('no')].sort());
  const labels = attributesOf('yes').map((name) => name.replaceAll('.', '_'));
  expect(failed.onMetric.sort()).toEqual([...labels, 'otel_scope_name'].sort());
});

test.skipIf(localLane)('the queries of "See it" answer (local lane: no PromQL)', async () => {
  const queries = fencesIn(sectionOf(readme, 'See it'), 'promql');
  expect(queries).toHaveLength(4);
  const [byOutcome = '', callRate = ''] = queries;
  {
    await using failing = startApp([], { env: { ...appEnv, LLM_FAULT: 'malformed' } });
    await ask(failing, 'What is a trace?');
    const failed = { labels: { error_type: 'malformed_response' }, value: 1 };
    await expect.poll(() => promQl(byOutcome), soon).toEqual([failed]);
  }

  await using app = startApp([], { env: appEnv });
  await ask(app, 'What is a trace?', 'What is a span?', 'What is a metric?');
  await expect.poll(() => promQl(byOutcome), soon).toEqual([{ labels: {}, value: 3 }]);
  await ask(app, ...Array(5).fill('What is a trace?'));
  await expect.poll(() => promQl(byOutcome), soon).toEqual([{ labels: {}, value: 8 }]);
  const [rate] = await promQl(callRate);
  expect(Number(rate?.value) * 60, 'how much it grew in a minute').toBeGreaterThanOrEqual(5);
  for (const query of queries) expect(await promQl(query), query).not.toEqual([]);
});

test('"Break it": with the question as an attribute every new question makes 17 series more', async () => {
  await using broken = await copyStep(step);
  const [, removed, added] = /^-(.*)\n\+(.*)$/m.exec(String(breakIt)) ?? [];
  await edit(join(broken.dir, 'src/llm.ts'), String(removed), String(added));
  await using app = startApp([], { cwd: broken.dir, env: appEnv });
  const [query = ''] = fencesIn(sectionOf(readme, 'Break it'), 'promql');
  const count = async () => (localLane ? seriesOfDuration() : (await promQl(query))[0]?.value);

  await ask(app, 'one');
  await expect.poll(count, soon).toBe(17);
  await ask(app, 'two', 'three', 'two');
  await expect.poll(count, soon).toBe(51);
});

test('a View renames the duration and drops an attribute, and its buckets stay', async () => {
  await using copy = await copyStep(step, view);
  await using app = startApp([], { cwd: copy.dir, env: appEnv });
  await ask(app, 'What is a trace?', 'What is a span?');
  await expectOnPage(4);
  expect(await servedSeries('gen_ai_client_operation_duration_count')).toEqual([]);
  const buckets = await servedSeries('gen_ai_client_inference_duration_bucket');
  expect(buckets.map(({ labels }) => labels.le)).toEqual([...DURATION_BOUNDARIES.map(String), '+Inf']);
  await expect.poll(async () => (await findSeries('gen_ai_client_inference_duration_count'))[0]?.value, soon).toBe(2);
});

test.skipIf(localLane)('behind a View an alert on the old name finds nothing (local lane: no alerts)', async () => {
  const model = `model-${crypto.randomUUID()}`;
  await using provider = await startProvider((_request, response) => send(response, 200, completion('no JSON')));
  await using copy = await copyStep(step, view);
  await using app = startApp([], { cwd: copy.dir, env: { ...appEnv, ...provider.env, LLM_MODEL: model } });
  const { groups } = parse(await readFile(join(step, 'alerts.yml'), 'utf8'));
  const { expr } = groups[0].rules[0];
  const ofModel = async (query: string) =>
    (await promQl(query)).filter(({ labels }) => labels.gen_ai_request_model === model).map(({ value }) => value);
  await ask(app, 'What is a trace?');
  await expect.poll(() => ofModel('gen_ai_client_inference_duration_count'), soon).toEqual([1]);
  await ask(app, 'What is a span?');
  await expect.poll(() => ofModel(expr.replaceAll('_operation_duration', '_inference_duration')), soon).toEqual([1]);
  expect(await ofModel(expr)).toEqual([]);
});

test.skipIf(localLane)(
  '"On call": inactive, pending, firing; and inactive again when the app is down (local lane: no alerts)',
  { timeout: 180_000 },
  async () => {
    const states = new Set<string | undefined>();
    const see = async () => [...states.add(await stateOf('LlmErrorRatioHigh'))];
    {
      await using app = startApp([], { env: { ...appEnv, LLM_FAULT: 'malformed' } });
      await expect.poll(see, { ...soon, timeout: 60_000 }).toContain('inactive');
      states.clear();
      await see();
      for (let i = 0; i < 5; i++) await ask(app, 'What is a trace?');
      const asking = setInterval(() => app.type('What is a trace?\n'), 1_000);
      await expect.poll(see, { ...soon, timeout: 60_000 }).toEqual(['inactive', 'pending', 'firing']);
      clearInterval(asking);
    }
    await expect.poll(() => promQl('up'), soon).toMatchObject([{ value: 0 }]);
    await expect.poll(() => stateOf('LlmAppDown'), { ...soon, timeout: 60_000 }).toBe('firing');
    await expect.poll(() => stateOf('LlmErrorRatioHigh'), { ...soon, timeout: 60_000 }).toBe('inactive');
  },
);

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

test.skipIf(localLane)(
  '"Going further": what promtool says of the alerts, and of `for: 1m` (local lane: no Docker)',
  async () => {
    const [, command = ''] = /`(docker compose run [^`]* promtool [^`]*)`/.exec(readme) ?? [];
    await using compose = await composeProject();
    await using copy = await copyStep(step);
    const run = () =>
      promisify(exec)(command, { cwd: copy.dir, env: { ...process.env, COMPOSE_PROJECT_NAME: compose.project } });

    expect((await run()).stdout).toContain('SUCCESS');
    await edit(join(copy.dir, 'alerts.yml'), 'for: 5s', 'for: 1m');
    await expect(run()).rejects.toMatchObject({ stderr: expect.stringContaining('FAILED') });
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

/** Expects the lines of a `text` block of the README on the page: `...` for any labels, bucket counts and fractions differ. */
async function expectOnPage(block: number): Promise<void> {
  const page = masked(await metricsPage()).split('\n');
  for (const line of masked(String(texts[block])).trim().split('\n')) {
    const value = /_bucket|\.\d+$/.test(line) ? /\S+$/ : /(?!)/;
    const pattern = RegExp.escape(line.replace(value, 'VALUE')).replaceAll(RegExp.escape('...'), '.*');
    expect(page, line).toContainEqual(expect.stringMatching(`^${pattern.replace('VALUE', '\\S+')}$`));
  }
}

/** What "See it" quotes of the duration. */
function quotedDuration() {
  const quoted = (part: string) => seriesOn(String(texts[3]), `gen_ai_client_operation_duration_${part}`);
  const calls = Number(quoted('count')[0]?.value);
  const seconds = Number(quoted('sum')[0]?.value);
  const buckets = quoted('bucket').map(({ labels, value }) => ({ le: labels.le, value }));
  return { calls, seconds, buckets: [...buckets, { le: '+Inf', value: calls }] };
}

async function stateOf(alert: string): Promise<string | undefined> {
  const { groups } = await prometheus<{ groups: { rules: { name: string; state: string }[] }[] }>('rules?type=alert');
  return groups.flatMap(({ rules }) => rules).find(({ name }) => name === alert)?.state;
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
