import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { downHere, upHere } from '@workshop/backends/compose';
import { portHere, portsOf, readCompose, servicesHere } from '@workshop/backends/compose-file';
import { chooseLane, whyNoEngine } from '@workshop/backends/lane';
import type { Step } from '@workshop/lessons/steps';
import { playground, stepOf } from './playground.ts';

/** The pages for people, by their port in the container. */
const PAGES: Record<number, string> = { 3000: '', 9090: '', 9428: '/select/vmui', 16686: '' };

/** Starts a step's backends, those of the playground if it is at that step, and prints their links. */
export async function up(step: Step): Promise<void> {
  const folder = stepOf() === step ? playground : step.dir;
  if (!existsSync(join(folder, 'compose.yaml'))) {
    console.log(`Step ${step.number} needs no backends.`);
    return;
  }
  const chosen = await chooseLane(folder);
  if (chosen.lane === 'local') {
    console.log(`Backends: local (${chosen.reason}).`);
    await import('@workshop/backends/local');
    return;
  }
  await upHere(folder);
  console.log('Backends: containers. All of them answer.');
  for (const { service, url } of await pagesOf(folder)) console.log(`  ${service.padEnd(12)} ${url}`);
}

/** Takes down the backends, whichever step's they are. */
export async function down(): Promise<void> {
  const reason = await whyNoEngine();
  if (reason) console.log(`Nothing was taken down: ${reason}`);
  else await downHere();
}

async function pagesOf(folder: string): Promise<{ service: string; url: string }[]> {
  const file = await readCompose(folder);
  return portsOf(file, servicesHere(file)).flatMap((port) => {
    const page = PAGES[port.port];
    return page === undefined ? [] : [{ service: port.service, url: `http://localhost:${portHere(port)}${page}` }];
  });
}
