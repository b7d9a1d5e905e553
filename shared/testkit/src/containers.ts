import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { DockerComposeEnvironment, Wait } from 'testcontainers';
import { stepDir } from './app.ts';
import { keep, type TakeDown } from './keep.ts';
import { type Compose, readCompose, servicesHere } from './lane.ts';
import { freePortPair } from './ports.ts';
import { READY_PATHS } from './ready.ts';

const READY_TIMEOUT_MS = 30_000;
const LAST_LINES = 20;

export type Started = {
  project: string;
  /** The variables of compose.yaml and of the app, set to the ports that were free. */
  env: Record<string, string>;
  stop: TakeDown;
};

/**
 * Starts a step's compose.yaml on free ports and waits until its backends answer.
 * Throws an Error with the last lines of whatever died.
 */
export async function startContainers(step: string): Promise<Started> {
  const compose = await readCompose(step);
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  const project = basename(folder).toLowerCase();
  const stop = await keep(folder, project);
  try {
    const metricsPort = await freePortPair();
    const services = await servicesHere(compose);
    const ports = portsOf(compose, services);
    const environment = await new DockerComposeEnvironment(step, 'compose.yaml')
      .withProjectName(project)
      .withAutoCleanup(false)
      // None: the default one runs a shell in the container, and one that fails takes the logs down with it.
      .withDefaultWaitStrategy(Wait.forAll([]))
      // An empty variable makes Docker choose a free port.
      .withEnvironment({
        ...Object.fromEntries(ports.map(({ variable }) => [variable, ''])),
        PROMETHEUS_CONFIG: await copyConfig(step, folder, metricsPort),
        COLLECTOR_CONFIG: collectorConfig(step),
      })
      .up(services)
      .catch(async (error: unknown) => Promise.reject((await whoDied(project)) ?? cleared(error, step)));
    await allAlive(project);
    const mapped = ports.map(({ service, variable, port }) => [
      variable,
      String(environment.getContainer(`${service}-1`).getMappedPort(port)),
    ]);
    const env: Record<string, string> = {
      ...Object.fromEntries(mapped),
      OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
    };
    await ready(project, ports, env);
    return { project, env, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export type Port = { service: string; variable: string; port: number };

/** The ports that services of a compose file publish: `127.0.0.1:${VARIABLE-default}:port`. */
export function portsOf({ services }: Compose, names: string[]): Port[] {
  return names.flatMap((service) =>
    (services[service]?.ports ?? []).flatMap((entry) => {
      const [, variable, port] = /\$\{(\w+)-\d+\}:(\d+)$/.exec(entry) ?? [];
      return variable ? [{ service, variable, port: Number(port) }] : [];
    }),
  );
}

/** The Collector's configuration: part of what an attendee works on, where the other files are always the step's. */
function collectorConfig(step: string): string {
  const own = join(stepDir, 'collector.yaml');
  return existsSync(own) ? own : join(step, 'collector.yaml');
}

/** Prometheus's configuration with the test's ports for the apps', as a file of its own. */
async function copyConfig(step: string, folder: string, metricsPort: number): Promise<string> {
  const config = await readFile(join(step, 'prometheus.yml'), 'utf8').catch(() => '');
  const copy = join(folder, 'prometheus.yml');
  const here = config.replaceAll(':8000', `:${metricsPort}`).replaceAll(':8001', `:${metricsPort + 1}`);
  await writeFile(copy, here, { mode: 0o644 });
  return copy;
}

/** Waits until the backends answer. Throws an Error with the last lines of the one that does not. */
export async function ready(project: string, ports: Port[], env: Record<string, string>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (const { service, variable, port } of ports) {
    if (!READY_PATHS[port]) continue;
    const url = `http://localhost:${env[variable]}${READY_PATHS[port]}`;
    while (!(await answers(url))) {
      await allAlive(project);
      if (Date.now() > deadline) {
        const lines = await lastLines(project, service);
        throw new Error(
          `${service} runs, but ${url} does not answer 200 within ${READY_TIMEOUT_MS / 1000} s. Its last lines:\n${lines}`,
        );
      }
      await sleep(100);
    }
  }
  // One that nothing was asked of may have died meanwhile.
  await allAlive(project);
}

/** Whether an address answers with success, now. */
export async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** The last lines of a service's log, one text. */
export async function lastLines(project: string, service = ''): Promise<string> {
  const args = ['compose', '-p', project, 'logs', '--no-log-prefix', '--tail', String(LAST_LINES), service];
  const { all } = await execa('docker', args.filter(Boolean), { reject: false, all: true });
  return all;
}

async function allAlive(project: string): Promise<void> {
  const died = await whoDied(project);
  if (died) throw died;
}

/** An Error about the first service that has exited; `up` itself leaves such a one out silently. */
async function whoDied(project: string): Promise<Error | undefined> {
  const { stdout } = await execa('docker', ['compose', '-p', project, 'ps', '--all', '--format', 'json'], {
    reject: false,
  });
  const services = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const dead = services.find(({ State }) => ['exited', 'dead', 'restarting'].includes(State));
  if (!dead) return undefined;
  const lines = await lastLines(project, dead.Service);
  const ended = dead.State === 'restarting' ? 'keeps restarting' : `exited with code ${dead.ExitCode}`;
  return new Error(`${dead.Service} (${dead.Image}) ${ended}. Its last lines:\n${lines}`);
}

/** What `docker compose up` complained of, without its progress, and what to do where that is known. */
function cleared(error: unknown, step: string): Error {
  const text = (error instanceof Error ? error.message : String(error)).trim();
  const lines = text.split('\n').filter((line) => /error|invalid|failed|denied|cannot|already/i.test(line));
  const complaint = lines.slice(-5).join('\n') || text.split('\n').at(-1);
  return new Error(
    [`The backends of ${join(step, 'compose.yaml')} do not start.`, complaint, remedy(text)].join('\n').trim(),
  );
}

function remedy(complaint: string): string {
  if (/address already in use|port is already allocated/.test(complaint))
    return `A port is taken: end what listens there. Tests choose a free one where compose.yaml says \${NAME-1234}.`;
  if (/address pool/.test(complaint)) return 'Docker has no network left: docker network prune removes unused ones.';
  return '';
}
