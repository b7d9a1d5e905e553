import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  appEnv,
  arrived,
  findLogs,
  findSeries,
  findTrace,
  localLane,
  receivedMetric,
} from '@workshop/testkit/backends';
import { installOwnApp } from '@workshop/testkit/own-app';
import { expect, test } from 'vitest';

const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8');
const scraped = { timeout: 15_000, interval: 250 };

test('"In your own app": a program without the workshop sends three signals, and what its logger wrote', async () => {
  await using own = await installOwnApp(readme);
  const { stdout, stderr, exitCode } = await own.start(appEnv).ended;
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  const { trace_id: traceId } = JSON.parse(stdout);

  const resource = { 'service.name': 'shop', 'service.instance.id': expect.any(String) };
  expect(await findTrace(traceId)).toMatchObject([{ name: 'order', resource }]);
  const record = { service: 'shop', body: 'An order was placed.', severityNumber: 9 };
  await expect.poll(() => findLogs(traceId), arrived).toMatchObject([record]);
  await expect.poll(countedOrders, scraped).toEqual([1]);
});

async function countedOrders() {
  if (!localLane) return (await findSeries('shop_orders_total')).map(({ value }) => value);
  return (await receivedMetric('shop.orders')).map(({ points }) => points.at(-1)?.value);
}
