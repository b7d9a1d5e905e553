import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findStep, type Step } from '@workshop/lessons/steps';
import { findSpans, findTrace } from '@workshop/testkit/backends';
import { canUseBrowser, openPage } from '@workshop/testkit/browser';
import { expectWaterfall, takePicture } from '@workshop/testkit/pictures';
import { makePlayground } from '@workshop/testkit/playground';
import { applyPatches, fencesIn } from '@workshop/testkit/readme';
import { startServices } from '@workshop/testkit/services';
import { expect, test } from 'vitest';

const QUESTION = 'What is the biggest capital city in Asia?';
const step = findStep('04') as Step;

test('trace.svg: the trace of a question through both services', async () => {
  await using services = await startServices();
  const { body } = await services.ask(QUESTION);
  await expectWaterfall('trace.svg', await findTrace(body.traceId, 5));
});

test('two-traces.svg: the two traces of a question while no trace id travels', async () => {
  await using playground = await makePlayground(step, false);
  const telemetry = join(playground.dir, 'src/telemetry.ts');
  for (const solution of fencesIn(await readFile(join(step.dir, 'README.md'), 'utf8'), 'diff')) {
    await applyPatches(playground.dir, [solution]);
    if ((await readFile(telemetry, 'utf8')).includes('textMapPropagator: null')) break;
  }
  await using services = await startServices({ cwd: playground.dir });
  const { body } = await services.ask(QUESTION);
  const ofFrontend = await findTrace(body.traceId, 2);
  const { port } = new URL(services.backendUrl);
  const ofBackend = async () => {
    const spans = await findSpans({ service: 'backend' });
    const request = spans.find(({ attributes }) => String(attributes['server.port']) === port);
    return spans.filter(({ traceId }) => traceId === request?.traceId);
  };
  await expect.poll(ofBackend, { timeout: 10_000 }).toHaveLength(3);
  await expectWaterfall('two-traces.svg', [...ofFrontend, ...(await ofBackend())]);
});

test.skipIf(!canUseBrowser)(
  'page.png: the page with an answer and its trace (needs Chromium or Chrome; CHROMIUM_PATH names one)',
  async () => {
    await using services = await startServices();
    await using page = await openPage(services.url);
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByText('Tokyo').first().waitFor();
    await page.locator('#trace a').waitFor();
    await takePicture('page.png', page.locator('main'));
  },
);
