import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { downHere, upHere } from '@workshop/backends/compose';
import { portHere, portsOf, readCompose, servicesHere } from '@workshop/backends/compose-file';
import { chooseLane, whyNoEngine } from '@workshop/backends/lane';
import type { Step } from '@workshop/lessons/steps';
import { playground, stepOf } from './playground.ts';

/** The pages for people, by their port in the container. */
const PAGES: Record<number, string> = { 3000: '', 9090: '', 9428: '/select/vmui', 16686: '' };

/** What a class needs more than compose.yaml has. Only a step with a Collector has such a file. */
const CLASS_FILE = join('class', 'compose.yaml');
const CLASS_PORT = 4319;
const CONTAINER_NETWORKS = /^(docker|br-|veth|vEthernet)/;

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
  await printPages(folder);
}

/**
 * Starts a step's backends, as its solution has them, for a whole class: the Collector listens on one more port, to the
 * network, for those who send a token that is made now. Prints what attendees need. Throws an Error without containers.
 */
export async function upForClass(step: Step): Promise<void> {
  const chosen = await chooseLane(step.dir);
  if (chosen.lane === 'local') throw new Error(`--class needs containers: ${chosen.reason}.`);
  const [address, ...others] = addresses();
  if (!address) throw new Error('--class needs a network: this machine has no IPv4 address that others could send to.');
  const token = randomBytes(16).toString('hex');
  await upHere(step.dir, { file: CLASS_FILE, env: { CLASS_TOKEN: token } });
  await printPages(step.dir);
  const port = process.env.CLASS_PORT || CLASS_PORT;
  console.log(`
Port ${port} is open to other machines: OTLP over HTTP, for those who send the token. All other ports stay closed to them.
The token and the telemetry are not encrypted on their way.

Attendees write these lines into the file .env in their folder of the workshop. They put in a name of their own:

OTEL_EXPORTER_OTLP_ENDPOINT=http://${address}:${port}
OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20${token}
OTEL_RESOURCE_ATTRIBUTES=service.namespace=YOUR-NAME
`);
  if (others.length > 0)
    console.log(
      `This machine has more addresses. Only one is that of the room's network: ${[address, ...others].join(', ')}`,
    );
  console.log(`In Jaeger, the tag service.namespace=YOUR-NAME finds their traces.
Each start with --class makes a new token. npx workshop up ${step.number} closes the port.`);
}

/** Whether a step's backends can serve a whole class. */
export function canServeClass(step: Step): boolean {
  return existsSync(join(step.dir, CLASS_FILE));
}

/** Takes down the backends, whichever step's they are. */
export async function down(): Promise<void> {
  const reason = await whyNoEngine();
  if (reason) console.log(`Nothing was taken down: ${reason}`);
  else await downHere();
}

async function printPages(folder: string): Promise<void> {
  console.log('Backends: containers. All of them answer.');
  for (const { service, url } of await pagesOf(folder)) console.log(`  ${service.padEnd(12)} ${url}`);
}

/** Where other machines can reach this one, without the networks of its containers. */
function addresses(): string[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => !CONTAINER_NETWORKS.test(name))
    .flatMap(([, all = []]) => all.filter(({ family, internal }) => family === 'IPv4' && !internal))
    .map(({ address }) => address);
}

async function pagesOf(folder: string): Promise<{ service: string; url: string }[]> {
  const file = await readCompose(folder);
  return portsOf(file, servicesHere(file)).flatMap((port) => {
    const page = PAGES[port.port];
    return page === undefined ? [] : [{ service: port.service, url: `http://localhost:${portHere(port)}${page}` }];
  });
}
