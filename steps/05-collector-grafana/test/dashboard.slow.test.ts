import { appEnv, findTrace, localLane, logsQl, prometheus, promQl } from '@workshop/testkit/backends';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { links, linksOf, panels, type Target } from './dashboard.ts';
import { startTraffic } from './traffic.ts';

const soon = { timeout: 30_000, interval: 500 };

describe.skipIf(localLane)('the dashboard, asked of Prometheus and Loki directly (local lane: there are none)', () => {
  let traffic: Awaited<ReturnType<typeof startTraffic>>;
  beforeAll(async () => {
    traffic = await startTraffic();
  }, 60_000);
  afterAll(() => traffic[Symbol.asyncDispose]());

  test.each(
    panels.flatMap(({ title, datasource, targets = [] }) =>
      targets.map((target) => ({ title, uid: String(datasource?.uid), target, refId: target.refId })),
    ),
  )('$title, query $refId: $uid answers', async ({ title, uid, target }) => {
    const message = `The panel "${title}" would show nothing`;
    await expect.poll(() => ask(uid, target), { ...soon, message }).not.toEqual([]);
  });

  test('from a measurement to its trace, its log record, and what is usual', async () => {
    const traceIds = async () => exemplars(String(links.exemplarTraceIdDestinations[0]?.name));
    await expect.poll(traceIds, soon).not.toEqual([]);
    const traceId = String((await traceIds())[0]);
    await findTrace(traceId, 'an exemplar names a trace that is not there.', 5);

    const { logs, metrics } = linksOf(traceId, 'backend');
    await expect.poll(() => logsQl(logs), soon).toHaveLength(1);
    for (const query of metrics) expect(await promQl(query), query).not.toEqual([]);

    const [record] = await logsQl(logs);
    for (const { matcherType, matcherRegex } of links.derivedFields) {
      expect(matcherType).toBe('label');
      expect(record?.attributes[matcherRegex]).toBe(traceId);
    }
  });

  /** What a panel's query gives, with Grafana's variables replaced. */
  async function ask(uid: string, { expr }: Target): Promise<unknown[]> {
    const replaced = expr
      .replaceAll('$__rate_interval', '30s')
      .replaceAll('$__auto', '30s')
      .replaceAll('$__range', '15m')
      .replaceAll('$trace', '');
    if (uid === 'prometheus') return promQl(replaced);
    const response = await fetch(
      `http://localhost:${appEnv.LOKI_PORT}/loki/api/v1/query_range?${new URLSearchParams({ query: replaced })}`,
    );
    expect(response.status).toBe(200);
    return ((await response.json()) as { data: { result: unknown[] } }).data.result;
  }
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
