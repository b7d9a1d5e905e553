import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import getPort from 'get-port';
import { expect } from 'vitest';
import { keep } from './keep.ts';

/**
 * Jaeger of the step's compose.yaml for one test alone, not started yet, on ports that stay the same over stop and start.
 */
export async function ownJaeger(step: string) {
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  const project = basename(folder).toLowerCase();
  const env = { JAEGER_UI_PORT: String(await getPort()), JAEGER_OTLP_PORT: String(await getPort()) };
  const takeDown = await keep(folder, 'compose', project);
  const compose = (...args: string[]) => execa('docker', ['compose', '-p', project, ...args], { cwd: step, env });
  const answers = (path: string) =>
    fetch(`http://localhost:${env.JAEGER_UI_PORT}${path}`).then(
      ({ ok }) => ok,
      () => false,
    );
  return {
    env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${env.JAEGER_OTLP_PORT}` },
    /** Starts it, or starts it again, and waits until it answers. */
    async start() {
      await compose('up', '--detach', 'jaeger');
      await expect.poll(() => answers('/api/services'), { timeout: 30_000 }).toBe(true);
    },
    stop: () => compose('stop', 'jaeger'),
    /** Whether Jaeger has the trace; false while it does not answer. */
    has: (traceId: string) => answers(`/api/v3/traces/${traceId}`),
    [Symbol.asyncDispose]: takeDown,
  };
}
