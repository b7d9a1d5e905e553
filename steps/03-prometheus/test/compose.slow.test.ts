import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { composeProject } from '@workshop/backends/compose';
import { startApp } from '@workshop/testkit/app';
import { localLane } from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const before = join(step, '../02-jaeger');
const soon = { timeout: 30_000, interval: 250 };

test.skipIf(localLane)('what a person does: up in step 02, ask, on to step 03 (local lane: no Docker)', async () => {
  await using compose = await composeProject();
  await compose.up(before);
  expect(await compose.running()).toEqual(['jaeger']);
  await answers(compose, before);

  await compose.up(step);
  expect(await compose.running()).toEqual(['jaeger', 'prometheus']);
  await answers(compose, step);

  await compose.up(before);
  expect(await compose.running(), 'prometheus is an orphan in step 02').toEqual(['jaeger']);
});

/** Asks in a step, as its README says, and opens the link under the reply. */
async function answers(compose: Awaited<ReturnType<typeof composeProject>>, cwd: string): Promise<void> {
  const { env } = compose;
  await using app = startApp([], { cwd, env });
  app.type('What is a trace?\n');
  await app.shows(/Trace: .*http/);
  const [, link] = /^Trace: \w+ {2}(\S+)$/m.exec(app.stdout) ?? [];
  const jaeger = `http://localhost:${env.JAEGER_UI_PORT}`;
  expect(link).toBe(`${jaeger}/trace/${traceIdsIn(app.stdout)[0]}`);
  await expect.poll(() => compose.hasTrace(String(traceIdsIn(app.stdout)[0])), soon).toBe(true);
  expect(await status(String(link))).toBe(200);
  if (!existsSync(join(cwd, 'prometheus.yml'))) return;
  await expect.poll(() => status(`http://localhost:${env.PROMETHEUS_PORT}/-/ready`), soon).toBe(200);
}

async function status(url: string): Promise<number> {
  return fetch(url).then(
    ({ status }) => status,
    () => 0,
  );
}
