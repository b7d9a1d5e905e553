import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appEnv, findSeries } from '@workshop/testkit/backends';
import { installOwnApp } from '@workshop/testkit/own-app';
import { expect, test } from 'vitest';

const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8');
const soon = { timeout: 20_000, interval: 250 };
const calls = async () => (await findSeries('checkout_duration_count').catch(() => []))[0];

test('"In your own app": in an empty folder it is installed, runs, and its histogram grows', async () => {
  await using own = await installOwnApp(readme);
  const { OTEL_EXPORTER_PROMETHEUS_PORT = '' } = appEnv;
  await using app = own.start({ OTEL_EXPORTER_PROMETHEUS_PORT });

  await expect.poll(calls, { ...soon, message: app.stderr }).toBeDefined();
  const first = await calls();
  expect(first?.labels).toMatchObject({ payment: 'card', otel_scope_name: 'my-app' });
  await expect.poll(async () => (await calls())?.value, soon).toBeGreaterThan(Number(first?.value));
  expect(app.stderr, 'no signal is sent to a Collector that is not there').toBe('');
  const [info] = await findSeries('target_info', { telemetry_sdk_name: 'opentelemetry' });
  expect(Object.keys(info?.labels ?? {}).filter((name) => name.startsWith('process_'))).toEqual([]);
});
