import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, freePortPair } from '@workshop/backends/ports';
import { cleanEnv } from '@workshop/testkit/app';
import autocannon from 'autocannon';
import { execa } from 'execa';
import { startReceiver } from './receiver.ts';
import { median, printTable, progress, verdict } from './report.ts';

const STEP = join(import.meta.dirname, '../../steps/04-propagation');
const ROUNDS = 3;
const WARM_UP_S = 3;
const SECONDS = 8;
const CONNECTIONS = 10;
const BAR_RATIO = 0.6;
const START_TIMEOUT_MS = 20_000;

type Load = { perSecond: number; p50: number; p99: number };

/** POST /ask through both services of step 04, with their telemetry against without, by turns. */
export async function benchServices(): Promise<void> {
  const receiver = await startReceiver(STEP);
  const loads: Record<'bare' | 'instrumented', Load[]> = { bare: [], instrumented: [] };
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      progress(`services: round ${round} of ${ROUNDS}, about 30 s`);
      loads.bare.push(await load([], {}));
      loads.instrumented.push(await load(['--import', './src/telemetry.ts'], receiver.env));
    }
  } finally {
    await receiver.stop();
  }
  const row = (name: string, runs: Load[]) => [
    name,
    median(runs.map(({ perSecond }) => perSecond)).toFixed(0),
    median(runs.map(({ p50 }) => p50)).toFixed(0),
    median(runs.map(({ p99 }) => p99)).toFixed(0),
  ];
  const ratio = median(
    loads.instrumented.map(({ perSecond }, i) => perSecond / (loads.bare[i]?.perSecond ?? Number.NaN)),
  );
  const rows = [
    [...row('bare', loads.bare), '1.00', '', ''],
    [
      ...row(`instrumented, to ${receiver.name}`, loads.instrumented),
      ratio.toFixed(2),
      String(BAR_RATIO),
      verdict(-ratio, -BAR_RATIO),
    ],
  ];
  const title = `services: POST /ask of step 04, ${CONNECTIONS} connections, medians of ${ROUNDS} rounds of ${SECONDS} s; latency in ms`;
  printTable(title, ['', 'requests/s', 'p50', 'p99', 'ratio', 'bar', ''], rows);
}

/** Starts both services, and loads them for a while. */
async function load(nodeArgs: string[], receiverEnv: Record<string, string>): Promise<Load> {
  const [frontend, backend, metrics] = [await freePort(), await freePort(), await freePortPair()];
  const start = (name: string, metricsPort: number) =>
    execa(process.execPath, [...nodeArgs, `src/${name}.ts`], {
      cwd: STEP,
      env: {
        ...cleanEnv(),
        ...receiverEnv,
        OTEL_SERVICE_NAME: name,
        OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
        FRONTEND_PORT: String(frontend),
        BACKEND_PORT: String(backend),
        BACKEND_URL: `http://127.0.0.1:${backend}`,
      },
      extendEnv: false,
      reject: false,
    });
  const services = [start('frontend', metrics), start('backend', metrics + 1)];
  try {
    await Promise.all([frontend, backend].map(healthy));
    const request = {
      url: `http://127.0.0.1:${frontend}/ask`,
      method: 'POST' as const,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ question: 'What is the biggest capital city in Asia?' }),
      connections: CONNECTIONS,
    };
    await autocannon({ ...request, duration: WARM_UP_S });
    const { requests, latency, errors, non2xx } = await autocannon({ ...request, duration: SECONDS });
    if (errors + non2xx > 0) throw new Error(`${errors} requests got no answer, ${non2xx} an error.`);
    return { perSecond: requests.average, p50: latency.p50, p99: latency.p99 };
  } finally {
    for (const service of services) service.kill('SIGTERM');
    await Promise.all(services);
  }
}

async function healthy(port: number): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) {
    if (performance.now() > deadline) throw new Error(`No service on port ${port} after ${START_TIMEOUT_MS / 1000} s.`);
    await sleep(100);
  }
}
