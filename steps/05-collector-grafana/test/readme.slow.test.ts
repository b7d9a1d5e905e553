import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { composeProject } from '@workshop/backends/compose';
import { localLane, logsQl, promQl } from '@workshop/testkit/backends';
import { copyStep, edit, fencesIn, headings, headingsIn, runTests } from '@workshop/testkit/readme';
import { startServices } from '@workshop/testkit/services';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { problemsOf, readCollector } from './collector.ts';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const diffs = fencesIn(readme, 'diff');
const lands = { timeout: 30_000, interval: 250 };

test('the README has the headings of every step', () => {
  expect(headingsIn(readme)).toEqual(headings);
});

test('what the backends may use together is 2 GB', async () => {
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
      const { exitCode, all } = await runTests(broken.dir, 'secrets are masked');
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

test.skipIf(localLane)('the PromQL of "See it" answers (local lane: no Prometheus)', async () => {
  const queries = fencesIn(readme, 'promql');
  expect(queries).toHaveLength(2);
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
  '"Your turn": a card number is masked, and the page makes no spans (local lane: no Collector)',
  async () => {
    await using solved = await copyStep(
      step,
      diffs.filter((diff) => diff.includes('b/collector.yaml')),
    );
    await using compose = await composeProject({ COLLECTOR_CONFIG: join(solved.dir, 'collector.yaml') });
    await compose.up(step);
    await using services = await startServices({
      env: { ...compose.env, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' },
    });
    const pageTraceId = crypto.randomUUID().replaceAll('-', '');
    await fetch(services.url, { headers: { traceparent: `00-${pageTraceId}-80f345e18ee169e9-01` } });
    const { body } = await services.ask('Is 4111 1111 1111 1111 mine?');

    await expect.poll(() => compose.trace(body.traceId), lands).toContain('Is **** mine?');
    expect(await compose.trace(body.traceId)).not.toContain('4111 1111');
    // It was made before the question's.
    expect(await compose.hasTrace(pageTraceId)).toBe(false);
  },
);

test('"On call" explains every alert', async () => {
  const alerts = await readFile(join(step, 'alerts.yml'), 'utf8');
  const named = [...readme.matchAll(/^\| (`[A-Z].*?`) \|/gm)].flatMap(([, cell]) => [
    ...String(cell).matchAll(/`(\w+)`/g),
  ]);
  expect(named.map(([, alert]) => alert).sort()).toEqual(
    [...alerts.matchAll(/alert: (\w+)/g)].map(([, alert]) => alert).sort(),
  );
});
