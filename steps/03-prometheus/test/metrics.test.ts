import type { Series } from '@workshop/backends/prometheus';
import { startApp } from '@workshop/testkit/app';
import {
  appEnv,
  expectMetricsPage,
  findSeries,
  findTrace,
  localLane,
  metricsPage,
  promQl,
  servedSeries,
} from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { expectKnownNames } from '@workshop/testkit/fields';
import { promtool } from '@workshop/testkit/promtool';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { afterAll, describe, expect, test } from 'vitest';

// A model of its own, so that no other test's series are counted.
const model = `model-${crypto.randomUUID()}`;
const labels = { gen_ai_request_model: model };
const GOOD = 4;
const BAD = 2;
const LATENCY_S = 0.05;
/** Prometheus scrapes every second. */
const soon = { timeout: 10_000, interval: 250 };

// Not a word of hexadecimal digits: the model's random name would contain it now and then.
const provider = await startProvider(({ body }, response) => {
  const reply = JSON.stringify(body).includes('poor')
    ? 'no JSON'
    : '{"query":"q","joke":"j","text":"t","question":"?"}';
  setTimeout(() => send(response, 200, completion(reply)), LATENCY_S * 1000);
});
const app = startApp([], { env: { ...appEnv, ...provider.env, LLM_MODEL: model } });

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

test('the program starts and answers', { tags: 'holds-before' }, async () => {
  app.type('good\n'.repeat(GOOD) + 'poor\n'.repeat(BAD));
  await app.shows(new RegExp(`(^Trace: .*){${GOOD + BAD}}`, 'ms'));
});

test('every call is counted, by what came of it', async () => {
  const answered = { ...labels, gen_ai_operation_name: 'chat', gen_ai_provider_name: 'openai' };
  await lands('gen_ai_client_operation_duration_count', answered, (counts) => {
    expect(counts).toHaveLength(2);
    expect(counts.find(({ labels }) => !labels.error_type)?.value).toBe(GOOD);
    expect(counts.find(({ labels }) => labels.error_type === 'malformed_response')?.value).toBe(BAD);
  });
});

test('the durations add up to those of the spans', async () => {
  const ids = traceIdsIn(app.stdout);
  const spans = (await Promise.all(ids.map((id) => findTrace(id)))).flat();
  const seconds = spans.reduce((sum, { durationMs }) => sum + durationMs / 1000, 0);
  await lands('gen_ai_client_operation_duration_sum', labels, (sums) => {
    const measured = sums.reduce((sum, { value }) => sum + value, 0);
    if (Math.abs(measured - seconds) > 0.05) {
      throw new Error(`The sum of the durations is ${measured.toPrecision(4)}, expected ${seconds.toPrecision(4)}.`);
    }
    expect(measured).toBeGreaterThanOrEqual((GOOD + BAD) * LATENCY_S);
  });
});

test.each([
  ['input', 11],
  ['output', 22],
])('the %s tokens add up to what the provider says: %i for each reply', async (type, perReply) => {
  await lands('gen_ai_client_token_usage_sum', { ...labels, gen_ai_token_type: type }, ([series]) => {
    expect(series?.value).toBe(GOOD * perReply);
  });
});

test('the buckets are those of the conventions', async () => {
  await lands('gen_ai_client_operation_duration_bucket', { ...labels, error_type: 'malformed_response' }, (buckets) => {
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('+Inf', 'Infinity')));
    const doubling = Array.from({ length: 14 }, (_, i) => Number((0.01 * 2 ** i).toFixed(2)));
    expect(bounds.sort((a, b) => a - b)).toEqual([...doubling, Number.POSITIVE_INFINITY]);
  });
});

test('no question and no answer is among the labels', async () => {
  const page = await metricsPage();
  expect(page).toContain(model);
  const [text] = /\w+="[^"]*(good|poor)[^"]*"|good|poor/.exec(page) ?? [];
  if (text) throw new Error(`The text of a question is on the page of the metrics: ${text}.`);
});

test('a port that is taken: the app says which, how to choose another, and does not go on', async () => {
  const { stdout, stderr, exitCode } = await startApp(['hello'], { env: appEnv, input: '' }).ended;

  expect(stderr).toContain(`No metrics on port ${appEnv.OTEL_EXPORTER_PROMETHEUS_PORT} (EADDRINUSE)`);
  expect(stderr).toContain('OTEL_EXPORTER_PROMETHEUS_PORT');
  expect(stdout).not.toContain('Human:');
  expect(exitCode).toBe(1);
});

test('TypeScript knows every name in src/', { tags: 'holds-before' }, expectKnownNames);

describe.skipIf(localLane)('in Prometheus (local lane: there is none)', () => {
  test('the app is a target, and it is up', async () => {
    await expect.poll(() => promQl('up{job="llm-app"}'), { timeout: 10_000 }).toMatchObject([{ value: 1 }]);
  });

  test('a third of the calls failed, asked in PromQL', async () => {
    const failed = `sum(gen_ai_client_operation_duration_count{gen_ai_request_model="${model}", error_type!=""})`;
    const all = `sum(gen_ai_client_operation_duration_count{gen_ai_request_model="${model}"})`;
    expect((await promQl(`${failed} / ${all}`))[0]?.value).toBeCloseTo(BAD / (GOOD + BAD));
  });

  test('what the app serves passes promtool check metrics', async () => {
    expect(await promtool(['check', 'metrics'], await metricsPage())).toMatchObject({ exitCode: 0 });
  });

  test('the alert rules pass promtool check rules and their unit tests', { tags: 'holds-before' }, async () => {
    expect(await promtool(['check', 'rules', 'alerts.yml'])).toMatchObject({ exitCode: 0 });
    expect(await promtool(['check', 'config', '--syntax-only', 'prometheus.yml'])).toMatchObject({ exitCode: 0 });
    expect(await promtool(['test', 'rules', 'alerts.test.yml'])).toMatchObject({ exitCode: 0 });
  });
});

/** Waits until the series of a metric are as `check` wants them. When there are none, says what is there instead. */
async function lands(metric: string, labels: Record<string, string>, check: (series: Series[]) => void): Promise<void> {
  await expectMetricsPage();
  const found = async () => (await findSeries(metric, labels)).length > 0;
  await expect
    .poll(found, soon)
    .toBe(true)
    .catch(async () => {
      throw new Error(await absence(metric, labels));
    });
  await expect.poll(async () => check(await findSeries(metric, labels)), soon).toBeUndefined();
}

async function absence(metric: string, labels: Record<string, string>): Promise<string> {
  const served = (await servedSeries(metric)).map((series) => metric + written(series.labels));
  const names = [...(await metricsPage()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  return `No series ${metric}${written(labels)}. /metrics has: ${(served.length > 0 ? served : names).join(', ')}.`;
}

function written(labels: Record<string, string>): string {
  return `{${Object.entries(labels).map(([name, value]) => `${name}="${value}"`)}}`;
}
