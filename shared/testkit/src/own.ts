import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import getPort from 'get-port';
import { expect } from 'vitest';
import { answers } from './containers.ts';
import { keep } from './keep.ts';

/**
 * `docker compose` as a person types it, for one test that stops and starts backends: a project of its own, on ports that
 * stay the same over a restart. Taken down by `await using`.
 */
export async function ownCompose() {
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  const project = basename(folder).toLowerCase();
  const [ui, otlp, prometheus, metrics] = await Promise.all([getPort(), getPort(), getPort(), getPort()]);
  const env = {
    JAEGER_UI_PORT: String(ui),
    JAEGER_OTLP_PORT: String(otlp),
    PROMETHEUS_PORT: String(prometheus),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${otlp}`,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(metrics),
  };
  const takeDown = await keep(folder, project);
  const compose = (cwd: string, ...args: string[]) =>
    execa('docker', ['compose', '-p', project, ...args], { cwd, env });
  return {
    /** For the app. */
    env,
    /** Starts what a step's compose.yaml names, and waits until Jaeger answers. */
    async up(step: string): Promise<void> {
      await compose(step, 'up', '--detach', '--remove-orphans');
      await expect.poll(() => answers(`http://localhost:${ui}/api/services`), { timeout: 30_000 }).toBe(true);
    },
    stop: (step: string, service: string) => compose(step, 'stop', service),
    /** The names of the services that run, in order. */
    async services(): Promise<string[]> {
      const { stdout } = await compose('.', 'ps', '--services');
      return stdout.split('\n').sort();
    },
    /** Whether Jaeger has the trace; false while it does not answer. */
    hasTrace: (traceId: string) => answers(`http://localhost:${ui}/api/v3/traces/${traceId}`),
    [Symbol.asyncDispose]: takeDown,
  };
}
