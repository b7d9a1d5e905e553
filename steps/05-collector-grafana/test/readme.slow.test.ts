import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { composeProject } from '@workshop/backends/compose';
import type { Series } from '@workshop/backends/prometheus';
import { readerOf } from '@workshop/backends/reader';
import {
  backends,
  findLogs,
  findSpans,
  findTrace,
  localLane,
  logsQl,
  promQl,
  receivedMetric,
} from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { applyPatches, copyStep, edit, fencesIn, missingLines, runTests, sectionOf } from '@workshop/testkit/readme';
import { startServices } from '@workshop/testkit/services';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { problemsOf, readCollector } from './collector.ts';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const doIt = sectionOf(readme, 'Do it');
const breakIt = sectionOf(readme, 'Break it');
const diffs = fencesIn(doIt, 'diff');
/** The solutions: of task 1, of task 2, and of task 3 one for each file. */
const solutions = diffs.filter((diff) => diff.includes('b/src/'));
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const lands = { timeout: 30_000, interval: 250 };

test('what the backends may use together is 2.1 GB', async () => {
  const { services } = parse(await readFile(join(step, 'compose.yaml'), 'utf8'));
  const limits = Object.values<{ mem_limit: string }>(services).map(({ mem_limit }) => Number.parseInt(mem_limit, 10));
  expect(limits.reduce((sum, megabytes) => sum + megabytes)).toBeLessThanOrEqual(2_048);
});

describe("this step's test fails", () => {
  test.skipIf(localLane)('without the filter: it shows the health checks (local lane: no Collector)', async () => {
    await using broken = await copyStep(step);
    await edit(join(broken.dir, 'collector.yaml'), /, filter\/health/g, '');
    const { exitCode, all } = await runTests(broken.dir, '^(both services|traces|health checks)');
    expect(exitCode).toBe(1);
    expect(all).toContain('frontend SERVER GET /health');
  });

  test.skipIf(localLane)(
    'without the redaction: it shows what would be stored (local lane: no Collector)',
    async () => {
      await using broken = await copyStep(step);
      const config = join(broken.dir, 'collector.yaml');
      await edit(config, /, redaction/g, '');
      await edit(config, ', transform/status', '');
      const [, name = ''] = breakIt.match(/^npm test -- -t "(.+)"$/m) ?? [];
      const { exitCode, all } = await runTests(broken.dir, name);
      expect(exitCode).toBe(1);
      expect(all).toMatch(/Tests {2}4 failed/);
      expect(all).toMatch(/alice\.[0-9a-f]{20}@example\.com/);
    },
  );

  test.skipIf(localLane)(
    'without the transform: the status is stored as it is (local lane: no Collector)',
    async () => {
      await using broken = await copyStep(step);
      await edit(join(broken.dir, 'collector.yaml'), ', transform/status', '');
      const { exitCode, all } = await runTests(broken.dir, 'secrets are masked.*in spans');
      expect(exitCode).toBe(1);
      expect(all).toMatch(/told alice\.[0-9a-f]{20}@example\.com to use sk-/);
    },
  );

  test.skipIf(localLane)('without delta_to_cumulative: records are miscounted (local lane: no Collector)', async () => {
    await using broken = await copyStep(step);
    await edit(join(broken.dir, 'collector.yaml'), ', delta_to_cumulative', '');
    const { exitCode, all } = await runTests(broken.dir, 'log records too');
    expect(exitCode).toBe(1);
    expect(all).toContain('Log records by severity');
  });

  test.skipIf(localLane)(
    'with a name of old: only the running Collector warns (local lane: no Collector)',
    async () => {
      await using broken = await copyStep(step);
      await edit(join(broken.dir, 'collector.yaml'), /otlp_http\/victorialogs/g, 'otlphttp/victorialogs');
      const { exitCode, all } = await runTests(broken.dir, 'the running configuration');
      expect(exitCode).toBe(1);
      expect(all).toMatch(/✓ .*collector.yaml is valid/);
      expect(all).toMatch(/× .*nothing in it is deprecated/);
    },
  );
});

test.skipIf(!localLane)('"Break it" without Docker: the redaction is missed (containers: the real one)', async () => {
  await using broken = await copyStep(step);
  await edit(join(broken.dir, 'collector.yaml'), /, redaction/g, '');
  const { exitCode, all } = await runTests(broken.dir, 'collector.yaml');
  expect(exitCode).toBe(1);
  expect(all).toContain('Pipeline logs: no processor redaction before otlp_http/victorialogs, count.');
});

test.each([
  [
    'the redaction left out of one pipeline',
    'redaction, transform/severity',
    'transform/severity',
    ['Pipeline logs: no processor redaction before otlp_http/victorialogs, count.'],
  ],
  [
    'a processor misspelled where it is used',
    'filter/health, redaction, delta',
    'filter/helth, redaction, delta',
    ['Pipeline metrics: filter/helth is not among the processors.'],
  ],
  [
    'an exporter misspelled where it is defined',
    '  otlp_http/jaeger:',
    '  otlp_http/jager:',
    [
      'Pipeline traces: otlp_http/jaeger is not among the exporters.',
      'otlp_http/jager is defined, and used in no pipeline.',
    ],
  ],
  [
    'a connector that ends no pipeline',
    ', span_metrics]\n    metrics',
    ']\n    metrics',
    ["span_metrics is no pipeline's exporter."],
  ],
  [
    'an extension that is not there',
    '[health_check, file_storage]',
    '[health_check, file_storage, zpages]',
    ['service: zpages is not among the extensions.'],
  ],
])('collector.yaml, read without a Collector: %s', async (_mistake, from, to, problems) => {
  await using broken = await copyStep(step);
  await edit(join(broken.dir, 'collector.yaml'), from, to);
  expect(problemsOf(await readCollector(broken.dir))).toEqual(problems);
});

test('collector.yaml that is no YAML: the message names the file and the line', async () => {
  await using broken = await copyStep(step);
  await edit(join(broken.dir, 'collector.yaml'), '    protocols:', '   protocols: }');
  await expect(readCollector(broken.dir)).rejects.toThrow(/collector\.yaml: .* at line \d+, column \d+/);
});

test.skipIf(localLane)('the LogsQL of "See it" finds records (local lane: no VictoriaLogs)', async () => {
  const queries = fencesIn(readme, 'logsql');
  expect(queries).toHaveLength(2);
  await using services = await startServices({ env: { LLM_FAULT: 'malformed' } });
  const { body } = await services.ask('What is a trace?');
  for (const query of queries) {
    const asked = query.replace('THE_TRACE_ID', body.traceId);
    await expect.poll(() => logsQl(asked), { ...lands, message: asked }).not.toEqual([]);
  }
});

test.skipIf(localLane)('the PromQL of the README answers (local lane: no Prometheus)', async () => {
  const queries = fencesIn(readme, 'promql');
  expect(queries).toHaveLength(3);
  await using services = await startServices();
  for (const query of queries) {
    const answers = async () => {
      await services.ask('What is a trace?');
      await fetch(`${services.url}/health`);
      return promQl(query);
    };
    await expect.poll(answers, { ...lands, message: query }).not.toEqual([]);
  }
});

test.skipIf(localLane)(
  '"Do it", tasks 1 to 3: after each the backends show what is quoted (local lane: there are none)',
  async () => {
    const [sent, counted] = fencesIn(doIt, 'promql');
    const [spans = '', series = '', record = ''] = fencesIn(doIt, 'text');
    await using compose = await composeProject();
    await compose.up(step);
    const { PROMETHEUS_PORT, VICTORIALOGS_PORT } = compose.env;
    const show = async (query = '') => (await promQl(query, PROMETHEUS_PORT)).map(seriesText).join('\n');

    await using task1 = await workAfter(1);
    await using first = await startServices({ cwd: task1.dir, env: compose.env });
    await fetch(`${first.url}/health`);
    const { body } = await first.ask('What is a trace?');
    await expect.poll(() => compose.hasTrace(body.traceId), lands).toBe(true);
    await expect.poll(async () => missingLines(spans, await show(sent)), lands).toEqual([]);
    expect(await show(counted), 'metrics before task 2').toBe('');

    await using task2 = await workAfter(2);
    await using second = await startServices({ cwd: task2.dir, env: compose.env });
    await second.ask('What is a trace?');
    await expect.poll(async () => missingLines(series, await show(counted)), lands).toEqual([]);

    await using task3 = await workAfter(solutions.length);
    await using third = await startServices({ cwd: task3.dir, env: { ...compose.env, LLM_FAULT: 'malformed' } });
    const failed = await third.ask('What is a trace?');
    const fields = async () => {
      const [found] = await logsQl(`trace_id:="${failed.body.traceId}"`, VICTORIALOGS_PORT);
      return Object.entries(found?.attributes ?? {}).map(([name, value]) => `${name}: ${value}`);
    };
    await expect.poll(async () => missingLines(record, (await fields()).join('\n')), lands).toEqual([]);
  },
);

test('"Do it", task 3: a log record is kept when its trace is not sampled', async () => {
  await using services = await startServices({ env: { OTEL_TRACES_SAMPLER: 'always_off' } });
  const { body } = await services.ask('What is a trace?');
  services.app.signal('SIGTERM');
  await services.app.ended;
  await expect.poll(() => findLogs(body.traceId), lands).toHaveLength(1);
  expect(await findSpans(body)).toEqual([]);
});

test.skipIf(!localLane)(
  '"Do it", tasks 1 and 2, without Docker: the receiver shows traces, then metrics (containers: the real ones)',
  async () => {
    const model = `model-${crypto.randomUUID()}`;
    await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
    const isOfModel = async () =>
      (await receivedMetric('gen_ai.client.operation.duration')).map(
        ({ attributes }) => attributes['gen_ai.request.model'] === model,
      );
    for (const [count, isCounted] of [
      [1, false],
      [2, true],
    ] as const) {
      await using work = await workAfter(count);
      await using services = await startServices({ cwd: work.dir, env: { ...provider.env, LLM_MODEL: model } });
      await fetch(`${services.url}/health`);
      const { body } = await services.ask('What is a trace?');
      services.app.signal('SIGTERM');
      await services.app.ended;
      await findTrace(body.traceId, 5);
      expect((await findSpans({ service: 'frontend' })).map(({ name }) => name)).toContain('GET /health');
      expect((await isOfModel()).includes(true)).toBe(isCounted);
    }
  },
);

test.skipIf(localLane)(
  '"Do it", task 4: a card number is masked, and the page makes no spans (local lane: no Collector)',
  async () => {
    const [, , , stored, masked] = fencesIn(doIt, 'text').map((text) => text.trim());
    await using work = await copyStep(step);
    await using compose = await composeProject({ COLLECTOR_CONFIG: join(work.dir, 'collector.yaml') });
    await compose.up(step);
    await using services = await startServices({
      env: { ...compose.env, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' },
    });
    const reader = readerOf({ ...backends, env: compose.env });
    const pageAndQuestion = async () => {
      const pageTraceId = crypto.randomUUID().replaceAll('-', '');
      const headers = { traceparent: `00-${pageTraceId}-80f345e18ee169e9-01` };
      for (const file of ['/', '/style.css', '/script.js']) await fetch(`${services.url}${file}`, { headers });
      const { body } = await services.ask('Is 4111 1111 1111 1111 mine?');
      const messages = async () => {
        const call = (await reader.findSpans(body)).find(({ name }) => name === 'call_llm_api');
        return call?.attributes['gen_ai.input.messages'];
      };
      return { messages, pageTraceId };
    };

    const before = await pageAndQuestion();
    await expect.poll(before.messages, lands).toBe(stored);
    await expect.poll(() => compose.hasTrace(before.pageTraceId), lands).toBe(true);

    await applyPatches(
      work.dir,
      diffs.filter((diff) => diff.includes('b/collector.yaml')),
    );
    await compose.restart('collector');
    const after = await pageAndQuestion();
    await expect.poll(after.messages, lands).toBe(masked);
    // It was made before the question's.
    expect(await compose.hasTrace(after.pageTraceId)).toBe(false);
    const dropped = () => promQl('otelcol_processor_filter_spans_filtered_total', compose.env.PROMETHEUS_PORT);
    await expect.poll(dropped, lands).toMatchObject([{ value: 3 }]);
  },
);

test.skipIf(localLane)(
  '"A pipeline to repair": each fault shows where the README says, and is mended (local lane: no Collector)',
  async () => {
    const [reference = '', exportFails = '', recordArrives = ''] = fencesIn(breakIt, 'text');
    const [first = '', second = '', third = ''] = fencesIn(breakIt, 'diff');
    await using work = await copyStep(step);
    const config = join(work.dir, 'collector.broken.yaml');
    await using compose = await composeProject({ COLLECTOR_CONFIG: config });
    const docker = async (...args: string[]) => {
      const env = { COMPOSE_PROJECT_NAME: compose.project, COLLECTOR_CONFIG: config };
      const { all, exitCode } = await execa('docker', args, { cwd: work.dir, env, all: true, reject: false });
      return { exitCode, lines: all.replaceAll('\t', ' ') };
    };
    const [validate = ''] = breakIt.match(/(?<=^docker )compose run .* validate .*/m) ?? [];
    const log = async () => (await docker('compose', 'logs', '--no-log-prefix', 'collector')).lines;
    const value = async (query: string) => (await promQl(query, compose.env.PROMETHEUS_PORT))[0]?.value;

    const { exitCode, lines } = await docker(...validate.split(' '));
    expect(exitCode).toBe(1);
    expect(missingLines(reference, lines)).toEqual([]);
    await expect(compose.up(step)).rejects.toThrow('references exporter');

    await applyPatches(work.dir, [first]);
    expect(await docker(...validate.split(' '))).toMatchObject({ exitCode: 0 });
    await compose.up(step);
    await using services = await startServices({ env: { ...compose.env, LLM_FAULT: 'malformed' } });
    const ask = async () => (await services.ask('What is a trace?')).body.traceId;
    const lost = await ask();
    await expect.poll(async () => missingLines(exportFails, await log()), lands).toEqual([]);
    await expect
      .poll(() => value('otelcol_exporter_queue_size{exporter="otlp_http/jaeger"}'), lands)
      .toBeGreaterThan(0);
    expect(await compose.hasTrace(lost)).toBe(false);

    await applyPatches(work.dir, [second]);
    await compose.restart('collector');
    const silent = await ask();
    await expect.poll(() => compose.hasTrace(silent), lands).toBe(true);
    await expect.poll(() => value('otelcol_processor_filter_logs_filtered_total'), lands).toBeGreaterThan(0);
    expect(missingLines(recordArrives, await log())).not.toEqual([]);
    expect(await logsQl(`trace_id:="${silent}"`, compose.env.VICTORIALOGS_PORT)).toEqual([]);

    await applyPatches(work.dir, [third]);
    await compose.restart('collector');
    const found = await ask();
    await expect
      .poll(() => logsQl(`trace_id:="${found}"`, compose.env.VICTORIALOGS_PORT), lands)
      .toMatchObject([{ severityText: 'WARN' }]);
    expect(missingLines(recordArrives, await log())).toEqual([]);
  },
);

test.skipIf(localLane)('"Going further": both answers are what happens (local lane: no Collector)', async () => {
  const [sampling = ''] = fencesIn(sectionOf(readme, 'Going further'), 'yaml');
  const [allowed = ''] = readme.match(/allowed_keys: \[.*?\]/) ?? [];
  await using provider = await startProvider(({ body }, response) => {
    send(response, 200, completion(JSON.stringify(body).includes('poor') ? 'no JSON' : REPLY));
  });
  await using work = await copyStep(step);
  const config = join(work.dir, 'collector.yaml');
  await using compose = await composeProject({ COLLECTOR_CONFIG: config });

  await edit(config, 'allow_all_keys: true', 'allow_all_keys: false');
  await compose.up(step);
  const { services: inJaeger } = readerOf({ ...backends, env: compose.env });
  await using services = await startServices({ env: { ...compose.env, ...provider.env } });
  await services.ask('What is a trace?');
  await expect.poll(inJaeger, lands).toContain('missing-service-name');
  expect(await inJaeger()).not.toContain('frontend');

  await edit(config, 'allow_all_keys: false', `allow_all_keys: false\n    ${allowed}`);
  await compose.restart('collector');
  await services.ask('What is a trace?');
  await expect.poll(inJaeger, lands).toEqual(expect.arrayContaining(['backend', 'frontend']));

  await cp(join(step, 'collector.yaml'), config);
  await edit(config, 'processors:\n', `processors:\n${sampling}`);
  await edit(config, 'transform/status]', 'transform/status, tail_sampling]');
  await compose.restart('collector');
  const answered = await services.ask('What is a trace?');
  const failed = await services.ask('poor');
  await expect.poll(() => compose.hasTrace(failed.body.traceId), lands).toBe(true);
  expect(await compose.hasTrace(answered.body.traceId)).toBe(false);
  const requests = 'traces_span_metrics_calls_total{span_kind="SPAN_KIND_SERVER"}';
  const outcomes = async () =>
    (await promQl(requests, compose.env.PROMETHEUS_PORT)).map(({ labels, value }) => [labels.status_code, value]);
  await expect.poll(outcomes, lands).toEqual(Array(2).fill(['STATUS_CODE_ERROR', 1]));
});

test('"On call" explains every alert', async () => {
  const alerts = await readFile(join(step, 'alerts.yml'), 'utf8');
  const named = [...readme.matchAll(/^\| (`[A-Z].*?`) \|/gm)].flatMap(([, cell]) => [
    ...String(cell).matchAll(/`(\w+)`/g),
  ]);
  expect(named.map(([, alert]) => alert).sort()).toEqual(
    [...alerts.matchAll(/alert: (\w+)/g)].map(([, alert]) => alert).sort(),
  );
});

/** What an attendee has after the first `count` solutions of "Do it". */
async function workAfter(count: number) {
  const work = await copyStep(step);
  await cp(join(step, '../04-propagation/src'), join(work.dir, 'src'), { recursive: true });
  await applyPatches(work.dir, solutions.slice(0, count));
  return work;
}

/** A series as Prometheus's page shows it. */
function seriesText({ labels: { __name__: name, ...labels }, value }: Series): string {
  const texts = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
  return `${name}{${texts.join(', ')}} ${value}`;
}
