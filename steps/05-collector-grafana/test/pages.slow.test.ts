import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appEnv, findLogs, localLane } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { type Services, startServices } from '@workshop/testkit/services';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { links, panels } from './dashboard.ts';

type LinkPattern = { type: string; url: string };

const step = process.cwd();
const soon = { timeout: 30_000, interval: 250 };

describe.skipIf(localLane)('pages that lead to others (local lane: they are not there)', () => {
  let services: Services;
  let traceId: string;
  let logsUrl: unknown;
  beforeAll(async () => {
    services = await startServices({ env: { LLM_FAULT: 'malformed' } });
    const { body } = await services.ask('What is a trace?');
    ({ traceId, logsUrl } = body);
    await vi.waitFor(async () => expect(await findLogs(traceId)).toHaveLength(1), soon);
  }, 60_000);
  afterAll(() => services[Symbol.asyncDispose]());

  describe.skipIf(!canUseBrowser)(
    'the log record of a question is on the page of VictoriaLogs (needs Chromium)',
    () => {
      test('by the link in the answer', async () => {
        await shows(String(logsUrl));
      });

      test('by the links on a trace and on its spans in Jaeger, as it serves them', async () => {
        const page = await (await fetch(`http://localhost:${appEnv.JAEGER_UI_PORT}`)).text();
        const [, config] = /^JAEGER_CONFIG = (.*);$/m.exec(page) ?? [];
        const { linkPatterns }: { linkPatterns: LinkPattern[] } = JSON.parse(String(config));
        expect(linkPatterns.map(({ type }) => type)).toEqual(['traces', 'tags']);
        for (const { url } of linkPatterns) await shows(url.replace(/#\{(trace\.)?traceID\}/, traceId));
      });

      test('by the link on a measurement in Grafana', async () => {
        const urls = links.exemplarTraceIdDestinations.map(({ url = '' }) => url);
        await shows(String(urls.find((url) => url.includes('VICTORIALOGS_PORT'))).replace(`\${__value.raw}`, traceId));
      });

      test.each([
        ['Failed calls to the model', 'error_type', 'malformed_response'],
        ['Log records', 'service_name', 'backend'],
      ])('by the link on the panel "%s"', async (title, label, value) => {
        const [link] = panels.find((panel) => panel.title === title)?.fieldConfig.defaults.links ?? [];
        await shows(String(link?.url).replace(`\${__field.labels.${label}}`, value));
      });
    },
  );

  test('every alert has a summary, a description and a link to a page that explains it', async () => {
    const { groups } = parse(await readFile(join(step, 'alerts.yml'), 'utf8'));
    for (const { alert, annotations } of groups.flatMap(({ rules }: { rules: unknown[] }) => rules)) {
      expect(annotations).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
      const response = await fetch(annotations.runbook_url.replace(':9090/', `:${appEnv.PROMETHEUS_PORT}/`));
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toContain('text/plain');
      expect(await response.text()).toMatch(new RegExp(`^\\| .*\`${alert}\`.* \\|`, 'm'));
    }
  });
});

/** Opens a link to VictoriaLogs, and looks for the record of the failed call. Nothing may be asked of any other host. */
async function shows(link: string): Promise<void> {
  const here = link.replace(/:(9428|\$\{VICTORIALOGS_PORT\})\//, `:${appEnv.VICTORIALOGS_PORT}/`);
  await using page = await openPage('about:blank');
  const origins = new Set<string>();
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  await page.goto(here);
  await page.getByText("The model's answer cannot be read").first().waitFor();
  expect([...origins]).toEqual([new URL(here).origin]);
}
