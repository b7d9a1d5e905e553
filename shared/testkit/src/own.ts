import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import getPort from 'get-port';
import { answers, portsOf, ready } from './containers.ts';
import { keep } from './keep.ts';
import { readCompose, servicesHere } from './lane.ts';
import { freePortPair } from './ports.ts';

const PORTS = [
  'COLLECTOR_HEALTH_PORT',
  'GRAFANA_PORT',
  'JAEGER_UI_PORT',
  'LOKI_PORT',
  'OTLP_PORT',
  'PROMETHEUS_PORT',
] as const;

/**
 * `docker compose` as a person types it, for one test that stops and starts backends: a project of its own, on ports that
 * stay the same over a restart, with further `variables` of compose.yaml. Taken down by `await using`.
 */
export async function ownCompose(variables: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  const project = basename(folder).toLowerCase();
  const ports = await Promise.all(PORTS.map(async (name) => [name, String(await getPort())] as const));
  const free = Object.fromEntries(ports) as Record<(typeof PORTS)[number], string>;
  const env = {
    ...free,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${free.OTLP_PORT}`,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()),
  };
  const takeDown = await keep(folder, project);
  const compose = (cwd: string, ...args: string[]) =>
    execa('docker', ['compose', '-p', project, ...args], { cwd, env: { ...env, ...variables } });
  return {
    /** For the app, and the ports of the backends. */
    env,
    /** Starts what a step's compose.yaml names, and waits until it answers. */
    async up(step: string): Promise<void> {
      const file = await readCompose(step);
      const services = await servicesHere(file);
      await compose(step, 'up', '--detach', '--remove-orphans', ...services);
      await ready(project, portsOf(file, services), env);
    },
    stop: (step: string, service: string) => compose(step, 'stop', service),
    /** Ends a service at once, as a crash does. */
    kill: (step: string, service: string) => compose(step, 'kill', service),
    /** The names of the services that run, in order. */
    async services(): Promise<string[]> {
      const { stdout } = await compose('.', 'ps', '--services');
      return stdout.split('\n').sort();
    },
    /** Whether Jaeger has the trace; false while it does not answer. */
    hasTrace: (traceId: string) => answers(`http://localhost:${env.JAEGER_UI_PORT}/api/v3/traces/${traceId}`),
    /** The trace in Jaeger, one text. */
    async trace(traceId: string): Promise<string> {
      const response = await fetch(`http://localhost:${env.JAEGER_UI_PORT}/api/v3/traces/${traceId}`);
      return response.text();
    },
    [Symbol.asyncDispose]: takeDown,
  };
}
