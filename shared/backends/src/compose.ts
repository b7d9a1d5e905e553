import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { DockerComposeEnvironment, Wait } from 'testcontainers';
import { type Port, portHere, portsOf, readCompose, servicesHere } from './compose-file.ts';
import { keep } from './keep.ts';
import { freePort, freePortPair } from './ports.ts';
import { READY_PATHS } from './ready.ts';
import { jaegerTrace } from './spans.ts';

/** The name in every step's compose.yaml, unless the environment names the project: it does so for Compose too. */
const PROJECT = process.env.COMPOSE_PROJECT_NAME || 'otel-workshop';
const READY_TIMEOUT_MS = 30_000;
const LAST_LINES = 20;

export type ComposeProject = Awaited<ReturnType<typeof composeProject>>;

/**
 * A Compose project of its own for steps' compose.yaml files, on free ports that stay the same over a restart, with further
 * `variables` of compose.yaml. Nothing runs before `up`; all is taken down by `await using`, or when this process ends,
 * however it ends.
 */
export async function composeProject(variables: Record<string, string> = {}) {
  const project = `otel-workshop-${randomBytes(4).toString('hex')}`;
  const folder = join(tmpdir(), project);
  // Kept before it is there: whenever this process is killed, nothing stays.
  const takeDown = await keep(folder, project);
  await mkdir(folder, { mode: 0o700 });
  const otlpPort = String(await freePort());
  const metricsPort = await freePortPair();
  const env: Record<string, string> = {
    OTLP_PORT: otlpPort,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${otlpPort}`,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
  };
  const traceUrl = (traceId: string) => jaegerTrace(`http://localhost:${env.JAEGER_UI_PORT}`, traceId);
  const compose = (...args: string[]) => execa('docker', ['compose', '-p', project, ...args]);

  return {
    project,
    /** For the app: where to send and where to be scraped; and the ports of all backends that have been started. */
    env,
    /** Starts what a step's compose.yaml names, ends what another's did, and waits until all of it answers. */
    async up(step: string): Promise<void> {
      const file = await readCompose(step);
      const services = servicesHere(file);
      const ports = portsOf(file, services);
      for (const { variable } of ports) env[variable] ??= String(await freePort());
      await new DockerComposeEnvironment(step, 'compose.yaml')
        .withProjectName(project)
        .withAutoCleanup(false)
        // None: the default one runs a shell in the container, and one that fails takes the logs down with it.
        .withDefaultWaitStrategy(Wait.forAll([]))
        .withClientOptions({ commandOptions: ['--remove-orphans'] })
        .withEnvironment({ ...env, PROMETHEUS_CONFIG: await copyConfig(step, folder, metricsPort), ...variables })
        .up(services)
        .catch(async (error: unknown) => Promise.reject((await whoDied(project)) ?? cleared(error, step)));
      await ready(project, ports, env);
    },
    stop: (service: string) => compose('stop', service),
    start: (service: string) => compose('start', service),
    restart: (service: string) => compose('restart', service),
    /** Ends a service at once, as a crash does. */
    kill: (service: string) => compose('kill', service),
    /** The names of the services that run, in order. */
    async running(): Promise<string[]> {
      const { stdout } = await compose('ps', '--services');
      return stdout.split('\n').filter(Boolean).sort();
    },
    /** Whether Jaeger has the trace; false while it does not answer. */
    hasTrace: (traceId: string) => answers(traceUrl(traceId)),
    /** The trace in Jaeger, one text. */
    async trace(traceId: string): Promise<string> {
      const response = await fetch(traceUrl(traceId));
      return response.text();
    },
    [Symbol.asyncDispose]: takeDown,
  };
}

/**
 * Starts what a step's compose.yaml names as `docker compose up -d --remove-orphans` does in its folder, without what WITHOUT
 * leaves out, and waits until all of it answers. `over` is a file laid over compose.yaml, with the variables that it needs.
 * Throws an Error that says what died, or what is taken.
 */
export async function upHere(step: string, over?: { file: string; env: Record<string, string> }): Promise<void> {
  const file = await readCompose(step);
  const services = servicesHere(file);
  const ports = portsOf(file, services);
  const files = over ? ['-f', 'compose.yaml', '-f', over.file] : [];
  await execa('docker', ['compose', ...files, 'up', '--detach', '--remove-orphans', ...services], {
    cwd: step,
    env: { ...over?.env },
    stderr: ['inherit', 'pipe'],
  }).catch(async (error: unknown) => Promise.reject((await whoDied(PROJECT)) ?? cleared(error, step)));
  await ready(PROJECT, ports, Object.fromEntries(ports.map((port) => [port.variable, String(portHere(port))])));
}

/** Ends what `upHere` started, of whichever step. */
export async function downHere(): Promise<void> {
  await execa('docker', ['compose', '-p', PROJECT, 'down'], { stdio: 'inherit' });
}

/** The services that run of those that `upHere`, or `docker compose up`, started. */
export async function runningHere(): Promise<string[]> {
  const { stdout } = await execa('docker', ['compose', '-p', PROJECT, 'ps', '--services'], { reject: false });
  return stdout.split('\n').filter(Boolean);
}

/** Prometheus's configuration with the project's ports for the apps', as a file of its own. */
async function copyConfig(step: string, folder: string, metricsPort: number): Promise<string> {
  const config = await readFile(join(step, 'prometheus.yml'), 'utf8').catch(() => '');
  const copy = join(folder, `${basename(step)}.yml`);
  const here = config.replaceAll(':8000', `:${metricsPort}`).replaceAll(':8001', `:${metricsPort + 1}`);
  await writeFile(copy, here, { mode: 0o644 });
  return copy;
}

/** Waits until the backends answer. Throws an Error with the last lines of the one that does not. */
async function ready(project: string, ports: Port[], env: Record<string, string>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  await allAlive(project);
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
async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** The last lines of a service's log, one text. */
export async function lastLines(project: string, service: string): Promise<string> {
  const args = ['compose', '-p', project, 'logs', '--no-log-prefix', '--tail', String(LAST_LINES), service];
  const { all } = await execa('docker', args, { reject: false, all: true });
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
    return `A port is taken: end what listens there (npx workshop doctor names it). Tests choose a free one where compose.yaml says \${NAME-1234}.`;
  if (/address pool/.test(complaint)) return 'Docker has no network left: docker network prune removes unused ones.';
  return '';
}
