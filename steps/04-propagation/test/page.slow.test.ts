import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findTrace, localLane } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { startServices } from '@workshop/testkit/services';
import { describe, expect, test } from 'vitest';

const HOSTILE = '<script>window.owned = 1</script><img src=x onerror="window.owned = 1">';

describe.skipIf(!canUseBrowser)('the page in a browser (needs Chromium or Chrome; CHROMIUM_PATH names one)', () => {
  test('asks, shows the answer, and links the trace', async () => {
    await using services = await startServices();
    await using page = await openPage(services.url);
    await page.getByLabel('Your question').fill('What is a trace?');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByText('A trace is the way of one request').waitFor();

    const link = page.locator('#trace a');
    const traceId = await link.innerText();
    expect(await findTrace(traceId, 5)).toHaveLength(5);
    if (localLane) return;
    const [opened] = await Promise.all([page.waitForEvent('popup'), link.click()]);
    await opened.waitForLoadState();
    expect(opened.url()).toMatch(new RegExp(`/trace/${traceId}$`));
  });

  test('one session for each tab', async () => {
    await using services = await startServices();
    await using page = await openPage(services.url);
    const sessionOf = async (tab: typeof page | Awaited<ReturnType<ReturnType<typeof page.context>['newPage']>>) => {
      await tab.getByRole('button', { name: 'Ask' }).click();
      await tab.locator('#trace a').waitFor();
      const spans = await findTrace(await tab.locator('#trace a').innerText(), 5);
      return spans.find(({ name }) => name === 'call_llm_api')?.attributes['session.id'];
    };
    const other = await page.context().newPage();
    await other.goto(services.url);
    const [first, again, second] = [await sessionOf(page), await sessionOf(page), await sessionOf(other)];
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(again).toBe(first);
    expect(second).not.toBe(first);
  });

  test('a hostile answer is shown as text', async () => {
    await using provider = await startProvider((_request, response) => {
      send(response, 200, completion(JSON.stringify({ query: 'q', joke: HOSTILE, text: HOSTILE, question: HOSTILE })));
    });
    await using services = await startServices({ env: provider.env });
    await using page = await openPage(services.url);
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.locator('#reply').waitFor();

    expect(await page.locator('dd').allInnerTexts()).toEqual([HOSTILE, HOSTILE, HOSTILE]);
    expect(await page.evaluate('window.owned')).toBeUndefined();
    expect(await page.locator('#reply img, #reply script').count()).toBe(0);
  });

  test('says what happened when the model fails, and links the trace of that', async () => {
    await using services = await startServices({ env: { LLM_FAULT: 'malformed' } });
    await using page = await openPage(services.url);
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByText('No reply (malformed_response)').waitFor();
    expect(await page.locator('#trace a').innerText()).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each([
    ['by a sampler', { OTEL_TRACES_SAMPLER: 'always_off' }, /^Trace: [0-9a-f]{32} not sampled$/],
    ['as OpenTelemetry is off', { OTEL_SDK_DISABLED: 'true' }, /^Trace: {1,2}not sampled$/],
  ])('says that the trace is not sampled, %s, and links none', async (_name, env, words) => {
    await using services = await startServices({ env });
    await using page = await openPage(services.url);
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.locator('#reply').waitFor();
    expect(await page.locator('#trace').textContent()).toMatch(words);
    expect(await page.locator('#trace a').count()).toBe(0);
  });

  test('its policy allows all that it needs, and no script of others', async () => {
    await using services = await startServices();
    await using page = await openPage('about:blank');
    const messages: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    await page.goto(services.url);
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.locator('#reply').waitFor();
    expect(messages).toEqual([]);

    await page.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: 'owned = 1' }))");
    expect(await page.evaluate('window.owned')).toBeUndefined();
    expect(messages.join()).toContain('Content Security Policy');
  });

  test('a page from elsewhere cannot ask: not as itself, and not under a name that leads here (DNS rebinding)', async () => {
    await using provider = await startProvider((_request, response) => send(response, 200, completion('{}')));
    await using services = await startServices({ env: provider.env });
    await using elsewhere = createServer((_request, response) => response.end('a page from elsewhere'));
    await once(elsewhere.listen(0, '127.0.0.1'), 'listening');
    await using page = await openPage(services.url, '--host-resolver-rules=MAP evil.example 127.0.0.1');
    const ask = (url: string, init: object) => {
      const options = JSON.stringify({ method: 'POST', body: '{"question":"hello"}', ...init });
      return page.evaluate(`fetch('${url}/ask', ${options}).then(({ type, status }) => type + ' ' + status, String)`);
    };
    const json = { headers: { 'content-type': 'application/json' } };

    await page.goto(`http://evil.example:${(elsewhere.address() as AddressInfo).port}`);
    expect(await ask(services.url, { mode: 'no-cors' })).toBe('TypeError: Failed to fetch');
    expect(await ask(services.url, json)).toBe('TypeError: Failed to fetch');

    await page.goto(services.url.replace('localhost', 'evil.example'));
    expect(await page.locator('body').innerText()).toContain('This service answers only as localhost');
    expect(await ask('', json)).toBe('basic 421');
    expect(provider.requests).toEqual([]);
  });

  test('is dark for those who set their system so', async () => {
    await using services = await startServices();
    await using page = await openPage(services.url);
    const lightness = () =>
      page.evaluate(
        'getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, n) => sum + +n, 0) / 3',
      );
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await lightness()).toBeGreaterThan(200);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await lightness()).toBeLessThan(50);
  });
});
