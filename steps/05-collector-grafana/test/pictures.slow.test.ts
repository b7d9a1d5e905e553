import { findLogs, findTrace, localLane } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { expectWaterfall, takePicture } from '@workshop/testkit/pictures';
import { startServices } from '@workshop/testkit/services';
import { expect, test } from 'vitest';

const QUESTION = 'What is the biggest capital city in Asia?';

test('trace.svg: the trace of a question through both services', async () => {
  await using services = await startServices();
  const { body } = await services.ask(QUESTION);
  await expectWaterfall('trace.svg', await findTrace(body.traceId, 5));
});

test.skipIf(localLane || !canUseBrowser)(
  "victorialogs.png: the log record of a failed question on VictoriaLogs' page (needs containers, and Chromium or Chrome)",
  async () => {
    await using services = await startServices({ env: { LLM_FAULT: 'malformed' } });
    const { body } = await services.ask(QUESTION);
    await expect.poll(() => findLogs(body.traceId), { timeout: 10_000 }).toHaveLength(1);
    await using page = await openPage(String(body.logsUrl));
    await page.setViewportSize({ width: 1200, height: 860 });
    await page.getByRole('button', { name: 'Hide filters' }).click();
    await page.getByText("The model's answer cannot be read").first().click();
    await page.getByText('gen_ai.client.operation.exception').waitFor();
    await takePicture('victorialogs.png', page);
  },
);
