import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runApp } from '@workshop/testkit/app';
import { repliesIn, spansIn } from '@workshop/testkit/console';
import { send, startProvider } from '@workshop/testkit/provider';
import { copyStep, fencesIn, headings, headingsIn } from '@workshop/testkit/readme';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');

test('the README has the headings of every step', () => {
  expect(headingsIn(readme)).toEqual(headings);
});

test('without what "Do it" adds there is a reply and no span; with it, this step', async () => {
  const diffs = fencesIn(readme, 'diff');
  await using bare = await copyStep(step, diffs, '--reverse');
  const { stdout } = await execa('node', ['--import', '@workshop/runtime/env', 'src/app.ts', 'What is a span?'], {
    cwd: bare.dir,
    env: { WORKSHOP_ENV_FILE: '', LLM_BASE_URL: '' },
  });
  expect(existsSync(join(bare.dir, 'src/telemetry.ts'))).toBe(false);
  expect(repliesIn(stdout)).toHaveLength(1);
  expect(spansIn(stdout)).toHaveLength(0);

  await using done = await copyStep(bare.dir, diffs);
  for (const path of ['src/telemetry.ts', 'src/llm.ts', 'src/app.ts']) {
    expect(await done.read(path)).toBe(await readFile(join(step, path), 'utf8'));
  }
});

test('"See it" shows the span that the program prints', async () => {
  const { stdout } = await runApp(['What is the biggest capital city in Asia?']);
  const [quoted] = spansIn(fencesIn(readme, 'js').join(''));
  const [real] = spansIn(stdout);
  const varying = {
    traceId: '',
    id: '',
    timestamp: 0,
    duration: 0,
    attributes: { ...real?.attributes, 'llm.api.url': '', 'server.port': 0, 'gen_ai.response.id': '' },
  };
  expect({
    ...quoted,
    ...varying,
    attributes: { ...quoted?.attributes, 'llm.api.url': '', 'server.port': 0, 'gen_ai.response.id': '' },
  }).toEqual({ ...real, ...varying });
});

test('"Break it": without metricReaders: [] metrics are sent to a collector', async () => {
  await using collector = await startProvider((_request, response) => send(response, 200, {}));
  await using broken = await copyStep(step);
  const telemetry = await broken.read('src/telemetry.ts');
  await writeFile(
    join(broken.dir, 'src/telemetry.ts'),
    telemetry.replace('  metricReaders: [],', '  // metricReaders: [],'),
  );
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRIC_EXPORT_INTERVAL: '100',
    OTEL_METRIC_EXPORT_TIMEOUT: '100',
    OTEL_NODE_EXPERIMENTAL_SDK_METRICS: 'true',
    LLM_LATENCY_MS: '500',
  };
  await runApp(['What is a span?'], { cwd: broken.dir, env });

  expect(collector.requests).not.toEqual([]);
});
