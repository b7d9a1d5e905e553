import { composeProject } from './compose.ts';
import { leftOut, readCompose } from './compose-file.ts';
import { startDevtools } from './devtools.ts';
import { chooseLane } from './lane.ts';
import { freePort, freePortPair } from './ports.ts';

/** A step's backends as they run, or what stands in for them. */
export type Backends = {
  lane: 'containers' | 'local';
  /** Why it is the local lane. */
  reason?: string;
  /** The services of the step that WITHOUT leaves out. */
  without: string[];
  /** The Compose project of the containers. */
  project?: string;
  /** For the app: where to send and where to be scraped; and the ports of the backends. */
  env: Record<string, string>;
};

type Started = {
  backends: Backends;
  stop: () => Promise<void>;
  /** Has a service read its configuration again, and waits until all answers. */
  reload: (service: string) => Promise<void>;
};

/**
 * Starts a step's backends in the lane at hand, on free ports, and waits until they answer. They end by `stop`, or when this
 * process ends. Throws an Error that says what died, or what cannot be had.
 */
export async function startBackends(step: string): Promise<Started> {
  const chosen = await chooseLane(step);
  return chosen.lane === 'local' ? startLocal(chosen.reason) : startContainers(step);
}

async function startContainers(step: string): Promise<Started> {
  const { services } = await readCompose(step);
  const compose = await composeProject();
  const stop = compose[Symbol.asyncDispose];
  try {
    await compose.up(step);
  } catch (error) {
    await stop();
    throw error;
  }
  const without = leftOut().filter((name) => name in services);
  const reload = async (service: string) => {
    await compose.up(step); // copies the configuration
    await compose.restart(service);
    await compose.up(step); // waits
  };
  return {
    backends: { lane: 'containers' as const, without, project: compose.project, env: compose.env },
    stop,
    reload,
  };
}

async function startLocal(reason: string) {
  const { url, stop } = await startDevtools(await freePort());
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()),
    // Nobody listens there: no link leads to what may run on the usual ports.
    JAEGER_UI_PORT: String(await freePort()),
    VICTORIALOGS_PORT: String(await freePort()),
  };
  const reload = async () => {}; // nothing reads one
  return { backends: { lane: 'local' as const, reason, without: [], env }, stop, reload };
}
