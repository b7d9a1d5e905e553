import { appEnv, findTrace, noGrafana } from '@workshop/testkit/backends';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { metricQueriesOf, panels } from './dashboard.ts';
import { startTraffic } from './traffic.ts';

type Frame = { data: { values: unknown[][] } };
type Results = { results: Record<string, { error?: string; frames?: Frame[] }> };

const soon = { timeout: 60_000, interval: 1_000 };
const url = `http://localhost:${appEnv.GRAFANA_PORT}`;

// In short; the first line of the run says all.
const why = noGrafana ? ` (${noGrafana.split(': ')[0]})` : '';

// Nobody logs in: every request here is that of an anonymous editor.
describe.skipIf(noGrafana)(`in Grafana${why}`, () => {
  let traffic: Awaited<ReturnType<typeof startTraffic>>;
  beforeAll(async () => {
    traffic = await startTraffic();
  }, 60_000);
  afterAll(() => traffic[Symbol.asyncDispose]());

  test.each(['prometheus', 'jaeger'])('the data source %s is healthy', async (uid) => {
    const health = () => request(`/api/datasources/uid/${uid}/health`);
    await expect.poll(health, soon).toMatchObject({ status: 200, body: { status: 'OK' } });
  });

  test('the dashboard is there, and is the first page', async () => {
    const { status, body } = await request('/api/dashboards/uid/llm-app');
    expect(status).toBe(200);
    expect(body).toMatchObject({ dashboard: { title: 'LLM app' }, meta: { provisioned: true } });
    expect((await request('/api/dashboards/home')).body).toMatchObject({ dashboard: { title: 'LLM app' } });
  });

  test.each(panels)('the panel "$title": every query is answered', async ({ title, datasource, targets }) => {
    const queries = targets.map((target) => ({ ...target, datasource }));
    const empty = async () => {
      const results = await query(queries);
      return queries.filter(({ refId }) => !hasData(results[refId])).map(({ refId }) => refId);
    };
    await expect.poll(empty, { ...soon, message: `Queries of "${title}" without data` }).toEqual([]);
  });

  test('Explore is open, and asks for a trace and for what is usual', async () => {
    const { status } = await fetch(`${url}/explore`, { redirect: 'manual' });
    expect(status, 'whoever may not see it is sent to another page').toBe(200);
    await findTrace(traffic.traceId, 5);
    const queries = [
      { refId: 'jaeger', datasource: { type: 'jaeger', uid: 'jaeger' }, query: traffic.traceId },
      ...metricQueriesOf('backend').map((expr, i) => ({
        ...{ refId: `prometheus ${i}`, datasource: { type: 'prometheus', uid: 'prometheus' }, expr, range: true },
      })),
    ];
    const results = await query(queries);
    expect(queries.filter(({ refId }) => !hasData(results[refId])).map(({ refId }) => refId)).toEqual([]);
  });

  test('an editor can add a dashboard', async () => {
    const body = JSON.stringify({ dashboard: { uid: 'mine', title: 'Mine' } });
    expect((await request('/api/dashboards/db', { method: 'POST', body })).status).toBe(200);
    expect((await request('/api/dashboards/uid/mine')).body).toMatchObject({ dashboard: { title: 'Mine' } });
    await request('/api/dashboards/uid/mine', { method: 'DELETE' });
  });

  test.each([
    [
      'change the dashboard of the workshop',
      'POST',
      '/api/dashboards/db',
      { dashboard: { uid: 'llm-app', title: 'Mine' }, overwrite: true },
    ],
    ['delete it', 'DELETE', '/api/dashboards/uid/llm-app', undefined],
    ['add a data source', 'POST', '/api/datasources', { name: 'Mine', type: 'prometheus', access: 'proxy' }],
    [
      'change one',
      'PUT',
      '/api/datasources/uid/prometheus',
      { name: 'Prometheus', type: 'prometheus', access: 'proxy', url: 'http://elsewhere' },
    ],
    ['delete one', 'DELETE', '/api/datasources/uid/jaeger', undefined],
    ['see the settings', 'GET', '/api/admin/settings', undefined],
    ['see the users', 'GET', '/api/users', undefined],
    ['make a key', 'POST', '/api/serviceaccounts', { name: 'mine', role: 'Admin' }],
  ])('an editor cannot %s', async (_what, method, path, body) => {
    // 400: what comes from a file cannot be saved or deleted. 403: it is not an editor's to do.
    expect([400, 401, 403, 404]).toContain((await request(path, { method, body: JSON.stringify(body) })).status);
    expect((await request('/api/dashboards/uid/llm-app')).body).toMatchObject({ dashboard: { title: 'LLM app' } });
    for (const uid of ['prometheus', 'jaeger']) {
      expect((await request(`/api/datasources/uid/${uid}/health`)).body).toMatchObject({ status: 'OK' });
    }
  });

  test('admin:admin opens nothing', async () => {
    const authorization = `Basic ${btoa('admin:admin')}`;
    expect([401, 403]).toContain((await request('/api/admin/settings', { headers: { authorization } })).status);
    const login = { method: 'POST', body: JSON.stringify({ user: 'admin', password: 'admin' }) };
    expect((await request('/login', login)).status).toBeGreaterThanOrEqual(400);
  });
});

async function request(path: string, init: { method?: string; body?: string; headers?: Record<string, string> } = {}) {
  const headers = { 'content-type': 'application/json', ...init.headers };
  const response = await fetch(`${url}${path}`, { ...init, headers });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}

/** What Grafana's own queries to the data sources give, by `refId`. */
async function query(queries: { refId: string }[]): Promise<Results['results']> {
  const asked = queries.map((query) => ({ intervalMs: 5_000, maxDataPoints: 200, ...query }));
  const body = JSON.stringify({ queries: asked, from: 'now-15m', to: 'now' });
  const { body: answer } = await request('/api/ds/query', { method: 'POST', body });
  return (answer as Results).results ?? {};
}

function hasData(result: Results['results'][string] | undefined): boolean {
  return result?.frames?.some(({ data }) => data.values[0]?.length) ?? false;
}
