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
    expect(await findTrace(traceId, 'the page shows an id that no trace has.', 5)).toHaveLength(5);
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
      const spans = await findTrace(await tab.locator('#trace a').innerText(), 'no trace of the page.', 5);
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
