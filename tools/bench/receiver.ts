import { existsSync } from 'node:fs';
import { join } from 'node:path';
import getPort from 'get-port';
import { startContainers } from '../../shared/testkit/src/containers.ts';
import { startDevtools } from '../../shared/testkit/src/devtools.ts';
import { readCompose, whyNoContainers } from '../../shared/testkit/src/lane.ts';

type Receiver = { name: string; env: Record<string, string>; stop: () => Promise<void> };

/** What the step sends to: its backends in containers, or where they cannot run the local lane's receiver. */
export async function startReceiver(step: string): Promise<Receiver> {
  if (!existsSync(join(step, 'compose.yaml'))) return { name: 'stdout', env: {}, stop: async () => {} };
  if (await whyNoContainers(await readCompose(step))) {
    const { url, stop } = await startDevtools(await getPort());
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_PROMETHEUS_PORT: String(await getPort()) };
    return { name: 'local lane', env, stop };
  }
  const { env, stop } = await startContainers(step);
  const endpoint = `http://localhost:${env.OTLP_PORT}`;
  return { name: 'containers', env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, stop };
}
