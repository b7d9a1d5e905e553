import getPort from 'get-port';
import type { TestProject } from 'vitest/node';
import { startContainers } from './containers.ts';
import { startDevtools } from './devtools.ts';
import { readCompose, whyNoContainers, whyNoGrafana } from './lane.ts';
import { freePortPair } from './ports.ts';

/** What the tests are told of the backends. */
export type Provided = {
  lane: 'containers' | 'local';
  /** Why there are no backends: every test fails with it. */
  problem?: string;
  /** The Compose project of the containers. */
  project?: string;
  /** Why there is no Grafana, in either lane. */
  noGrafana?: string | undefined;
  /** For the app: where to send and where to be scraped. */
  env: Record<string, string>;
  /** The page and API that traces are read from. */
  tracesUrl: string;
};

declare module 'vitest' {
  interface ProvidedContext {
    backends: Provided;
  }
}

/** vitest's globalSetup of a step with backends: starts them once, in the lane at hand, and takes them down at the end. */
export default async function setup(project: TestProject) {
  const step = project.config.root;
  const wanted = process.env.BACKENDS || undefined;
  try {
    if (wanted && wanted !== 'containers' && wanted !== 'local') {
      throw new Error(`BACKENDS is ${wanted}: it must be containers or local, or unset for what is possible here.`);
    }
    const reason = wanted === 'local' ? 'BACKENDS=local' : await whyNoContainers(await readCompose(step));
    if (reason && wanted === 'containers') throw new Error(`BACKENDS=containers, but ${reason}.`);
    return reason ? await local(project, reason) : await containers(project, step);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    // Nothing is skipped: every test fails with the problem.
    project.provide('backends', { lane: 'containers', problem, env: {}, tracesUrl: '' });
    const [firstLine] = problem.split('\n');
    console.log(`Backends: none. ${firstLine}`);
    return () => console.log(`Backends: none. ${firstLine}`);
  }
}

async function containers(project: TestProject, step: string) {
  const started = await startContainers(step);
  const env = { ...started.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${started.env.OTLP_PORT}` };
  const tracesUrl = `http://localhost:${started.env.JAEGER_UI_PORT}`;
  const compose = await readCompose(step);
  const noGrafana = await whyNoGrafana(compose);
  const without = compose.services.grafana && noGrafana ? `, without Grafana: ${noGrafana}` : '';
  project.provide('backends', { lane: 'containers', project: started.project, noGrafana, env, tracesUrl });
  console.log(`Backends: containers, from this step's compose.yaml${without}.`);
  return async () => {
    await started.stop();
    console.log(`Backends: containers${without}. What passed has landed in real backends.`);
  };
}

async function local(project: TestProject, reason: string) {
  const devtools = await startDevtools(await getPort());
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: devtools.url,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()),
    JAEGER_UI_PORT: new URL(devtools.url).port,
  };
  project.provide('backends', { lane: 'local', noGrafana: 'the local lane has none', env, tracesUrl: devtools.url });
  console.log(`Backends: local (${reason}).`);
  return async () => {
    await devtools.stop();
    console.log(
      `Backends: local (${reason}). What passed left the process and decodes; only BACKENDS=containers proves that it lands.`,
    );
  };
}
