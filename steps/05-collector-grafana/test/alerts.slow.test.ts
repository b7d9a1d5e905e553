import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { composeProject } from '@workshop/backends/compose';
import { localLane } from '@workshop/testkit/backends';
import { copyStep, edit } from '@workshop/testkit/readme';
import { type Services, startServices } from '@workshop/testkit/services';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { firing } from './counts.ts';

type Rules = { groups: { rules: { alert: string }[] }[] };

const step = process.cwd();
const soon = { timeout: 120_000, interval: 500 };

/** What fires, and what for, by what went wrong. */
const expected = {
  failing: ['LlmErrorRatioHigh workshop-stand-in', 'RequestErrorRatioHigh backend', 'RequestErrorRatioHigh frontend'],
  slow: ['LlmAnswersSlow workshop-stand-in', 'RequestsSlow backend', 'RequestsSlow frontend'],
  idle: ['NoTraffic frontend'],
  jaegerDown: [
    'CollectorExportFailing otlp_http/jaeger',
    'CollectorQueueFilling otlp_http/jaeger',
    'CollectorRefusing otlp',
  ],
  collectorDown: ['CollectorDown collector:8889'],
};

describe.skipIf(localLane).concurrent('alerts fire in the running Prometheus (local lane: there is none)', () => {
  describe('one after the other', () => {
    test('when the model fails', { concurrent: false }, async () => {
      await using services = await startServices({ env: { LLM_FAULT: 'malformed' } });
      await using _asking = keepAsking(services);
      await expect.poll(() => firing(), soon).toEqual(expect.arrayContaining(expected.failing));
    });

    test('when it is slow', { concurrent: false }, async () => {
      await using services = await startServices({ env: { LLM_LATENCY_MS: '3000' } });
      await using _asking = keepAsking(services);
      await expect.poll(() => firing(), soon).toEqual(expect.arrayContaining(expected.slow));
    });

    test('when nobody asks any more; and all others are silent again', { concurrent: false }, async () => {
      await expect.poll(() => firing(), soon).toEqual(expected.idle);
    });
  });

  test('when Jaeger is down, when the queue is full, when the Collector is gone', async () => {
    await using small = await copyStep(step);
    const config = join(small.dir, 'collector.yaml');
    await edit(config, 'queue_size: 100000', 'queue_size: 100');
    await edit(config, 'min_size: 512', 'min_size: 10');
    await edit(config, 'max_size: 2048', 'max_size: 20');
    await using compose = await composeProject({ COLLECTOR_CONFIG: config });
    await compose.up(step);
    await using services = await startServices({ env: compose.env });
    await using _asking = keepAsking(services);
    const alerts = () => firing(compose.env.PROMETHEUS_PORT);

    await compose.stop('jaeger');
    await expect.poll(alerts, soon).toEqual(expect.arrayContaining(expected.jaegerDown));
    await compose.stop('collector');
    await expect.poll(alerts, soon).toEqual(expect.arrayContaining(expected.collectorDown));
  });
});

test('every alert of alerts.yml is among those that are made to fire', async () => {
  const { groups }: Rules = parse(await readFile(join(step, 'alerts.yml'), 'utf8'));
  const names = Object.values(expected).flatMap((alerts) => alerts.map((alert) => alert.split(' ')[0]));
  expect(new Set(names)).toEqual(new Set(groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))));
});

/** Asks five times a second until it is disposed of. */
function keepAsking(services: Services) {
  const timer = setInterval(() => services.ask('What is a metric?').catch(() => {}), 200);
  return { [Symbol.asyncDispose]: async () => clearInterval(timer) };
}
