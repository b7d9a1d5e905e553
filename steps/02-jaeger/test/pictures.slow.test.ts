import { startDevtools } from '@workshop/backends/devtools';
import { freePort } from '@workshop/backends/ports';
import { runApp } from '@workshop/testkit/app';
import { appEnv, findTrace } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { traceIdsIn } from '@workshop/testkit/console';
import { expectWaterfall, takePicture } from '@workshop/testkit/pictures';
import { expect, test } from 'vitest';

const QUESTION = 'What is the biggest capital city in Asia?';

test('trace.svg: the trace of a question', async () => {
  const { stdout } = await runApp([QUESTION], { env: appEnv });
  await expectWaterfall('trace.svg', await findTrace(traceIdsIn(stdout)[0]));
});

test.skipIf(!canUseBrowser)(
  "receiver.png: a failed question on the receiver's page (needs Chromium or Chrome; CHROMIUM_PATH names one)",
  async () => {
    const { url, stop } = await startDevtools(await freePort());
    try {
      const env = { ...appEnv, OTEL_EXPORTER_OTLP_ENDPOINT: url };
      await runApp([QUESTION], { env });
      const failed = await runApp([QUESTION], { env: { ...env, LLM_FAULT: 'malformed' } });
      await using page = await openPage(url);
      await page.setViewportSize({ width: 1200, height: 600 });
      await page.getByText('ERROR', { exact: true }).filter({ visible: true }).first().click();
      await page.getByText(`Trace ID: ${traceIdsIn(failed.stdout)[0]}`).waitFor();
      await page.getByText('call_llm_api').last().click();
      await page.getByText('malformed_response').first().waitFor();
      expect(await page.getByText('gen_ai.request.model').count()).toBeGreaterThan(0);
      await takePicture('receiver.png', page);
    } finally {
      await stop();
    }
  },
);
