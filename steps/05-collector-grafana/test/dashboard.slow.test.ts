import { findLogs, findTrace, localLane, prometheus, promQl } from '@workshop/testkit/backends';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { links, metricQueriesOf, panels } from './dashboard.ts';
import { startTraffic } from './traffic.ts';

const soon = { timeout: 30_000, interval: 500 };

describe.skipIf(localLane)('the dashboard, asked of Prometheus directly (local lane: there is none)', () => {
  let traffic: Awaited<ReturnType<typeof startTraffic>>;
  beforeAll(async () => {
    traffic = await startTraffic();
  }, 60_000);
  afterAll(() => traffic[Symbol.asyncDispose]());

  test.each(panels.flatMap(({ title, targets }) => targets.map((target) => ({ title, ...target }))))(
    '$title, query $refId answers',
    async ({ title, expr }) => {
      const query = expr.replaceAll('$__rate_interval', '30s').replaceAll('$__range', '15m');
      await expect.poll(() => promQl(query), { ...soon, message: `"${title}" would show nothing` }).not.toEqual([]);
    },
  );

  test('from a measurement to its trace, its log record, and what is usual', async () => {
    const traceIds = async () => exemplars(String(links.exemplarTraceIdDestinations[0]?.name));
    await expect.poll(traceIds, soon).not.toEqual([]);
    const traceId = String((await traceIds())[0]);
    await findTrace(traceId, 5);
    await expect.poll(() => findLogs(traceId), soon).toHaveLength(1);
    for (const query of metricQueriesOf('backend')) expect(await promQl(query), query).not.toEqual([]);
  });
});

/** The values of a label of the exemplars of the last minutes: of whole requests only. */
async function exemplars(label: string): Promise<(string | undefined)[]> {
  const now = Date.now() / 1000;
  const range = new URLSearchParams({
    query: 'traces_span_metrics_duration_seconds_bucket{span_kind="SPAN_KIND_SERVER",service_name="frontend"}',
    start: String(now - 300),
    end: String(now + 60),
  });
  const series = await prometheus<{ exemplars: { labels: Record<string, string> }[] }[]>(`query_exemplars?${range}`);
  return series.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels[label]));
}
