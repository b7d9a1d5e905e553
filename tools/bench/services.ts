import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, freePortPair } from '@workshop/backends/ports';
import { cleanEnv } from '@workshop/testkit/app';
import autocannon from 'autocannon';
import { execa } from 'execa';
import { type Figure, figure, progress } from './figures.ts';
import { startReceiver } from './receiver.ts';
import type { Run } from './results.ts';
import { STEP_04 } from './steps.ts';

const WARM_UP_S = 2;
const SECONDS = 5;
const CONNECTIONS = 10;
const BAR_RATIO = 0.6;
const START_TIMEOUT_MS = 20_000;

/** POST /ask through both services of step 04, with their telemetry against without, by turns. */
export async function benchServices({ quick }: Run): Promise<Figure[]> {
  const receiver = await startReceiver(STEP_04);
  const bare: Load[] = [];
  const instrumented: Load[] = [];
  const rounds = quick ? 1 : 5;
  try {
    for (let round = 1; round <= rounds; round += 1) {
      progress(`services: round ${round} of ${rounds}`);
      bare.push(await load([], {}));
      instrumented.push(await load(['--import', './src/telemetry.ts'], receiver.env));
    }
  } finally {
    await receiver.stop();
  }
  const against = (what: keyof Load) => ({
    values: instrumented.map((one) => one[what]),
    baseline: { id: 'bare', values: bare.map((one) => one[what]) },
  });
  const [rate, p50, p99] = [against('perSecond'), against('p50'), against('p99')];
  const to = `, to ${receiver.name}`;
  return [
    figure(`throughput${to}`, 'requests/s', rate.values, { ...rate, better: 'higher', ratioBar: BAR_RATIO }),
    figure(`p50${to}`, 'ms', p50.values, p50),
    figure(`p99${to}`, 'ms', p99.values, p99),
  ];
}

type Load = { perSecond: number; p50: number; p99: number };

/** Starts both services, and loads them for a while. */
async function load(nodeArgs: string[], receiverEnv: Record<string, string>): Promise<Load> {
  const [frontend, backend, metrics] = [await freePort(), await freePort(), await freePortPair()];
  const start = (name: string, metricsPort: number) =>
    execa(process.execPath, [...nodeArgs, `src/${name}.ts`], {
      cwd: STEP_04,
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
