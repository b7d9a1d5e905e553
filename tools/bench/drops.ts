import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeProject } from '@workshop/backends/compose';
import { promQl } from '@workshop/backends/prometheus';
import { cleanEnv } from '@workshop/testkit/app';
import { execa } from 'execa';
import { memoryFigures, type Usage, watchMemory } from './containers.ts';
import { type Figure, figure, progress } from './figures.ts';
import type { Made } from './requests.ts';
import type { Run } from './results.ts';
import { STEP_05 } from './steps.ts';

/** How the Collector counts what has landed. */
const COUNTED = {
  spans: {
    perRequest: 3,
    query: (service: string) => `sum by (span_name) (traces_span_metrics_calls_total{service_name="${service}"})`,
  },
  'log records': {
    perRequest: 1,
    query: (service: string) => `sum by (severity) (log_records_total{service_name="${service}"})`,
  },
};
/** Requests a second, each for a second and a third more than the one before. */
const RATES = Array.from({ length: 7 }, (_, i) => Math.round(5_000 * 1.3 ** i));
/** Of both processors. Step 05 has a queue of 8,192 spans and 2,048 log records; its other settings are OpenTelemetry's. */
const SETTINGS = {
  'step 05': {},
  'maxQueueSize 32,768': { maxQueueSize: 32_768 },
  'scheduledDelayMillis 200': { scheduledDelayMillis: 200 },
  'maxExportBatchSize 2,048': { maxExportBatchSize: 2_048 },
};
const TIMEOUT_MS = 60_000;
/** The Collector counts them every 3 s, and Prometheus asks it every second. */
const LANDED_TIMEOUT_MS = 6_000;
const POLL_MS = 500;

/**
 * Up to how many requests a second all spans and log records of step 05's SDK land, with its settings and with one other, and
 * the most that each container of step 05 needs meanwhile.
 */
export async function benchDrops({ quick }: Run): Promise<Figure[]> {
  await using project = await composeProject();
  await project.up(STEP_05);
  const usages: Map<string, Usage>[] = [];
  const tried = Object.entries(SETTINGS).map(([name, settings]) => ({ name, settings, rounds: [] as Tried[] }));
  for (let round = 1; round <= (quick ? 1 : 2); round += 1) {
    for (const [i, { name, settings, rounds }] of tried.entries()) {
      progress(`drops: ${name}, round ${round}`);
      const service = `bench-${i}-${round}`;
      await using memory = await watchMemory(project.project);
      rounds.push({ service, made: await makeRequests({ ...project.env, OTEL_SERVICE_NAME: service }, settings) });
      usages.push(memory.usage);
    }
  }
  const figures = Object.entries(COUNTED).map(async ([what, { perRequest, query }]) => {
    const rates = ({ service, made }: Tried) => lossless(made, perRequest, query(service), project.env);
    const values = await Promise.all(tried.map(({ rounds }) => Promise.all(rounds.map(rates))));
    const [first = []] = values;
    return tried.map(({ name }, i) => {
      const baseline = i > 0 ? { baseline: { id: 'step 05', values: first } } : {};
      return figure(`${what}, ${name}`, 'requests/s', values[i] ?? [], { better: 'higher', ...baseline });
    });
  });
  return [...(await Promise.all(figures)).flat(), ...memoryFigures(usages)];
}

type Tried = { service: string; made: Made[] };

async function makeRequests(env: Record<string, string>, settings: object): Promise<Made[]> {
  const args = [join(import.meta.dirname, 'requests.ts'), JSON.stringify(settings), String(RATES)];
  const { failed, shortMessage, stderr, ipcOutput } = await execa(process.execPath, args, {
    cwd: STEP_05,
    env: { ...cleanEnv(), ...env },
    extendEnv: false,
    ipc: true,
    timeout: TIMEOUT_MS,
    reject: false,
  });
  if (failed) throw new Error(`${shortMessage}\n${stderr}`);
  return ipcOutput as Made[];
}

/** Requests a second of the rate before the first one of which not all has landed, as `query` counts; 0 if it is the first. */
async function lossless(made: Made[], perRequest: number, query: string, env: Record<string, string>): Promise<number> {
  const deadline = performance.now() + LANDED_TIMEOUT_MS;
  for (;;) {
    const series = await promQl(query, String(env.PROMETHEUS_PORT));
    const landed = (rate: number) =>
      series.find(({ labels }) => Object.values(labels).includes(`request ${rate}`))?.value ?? 0;
    const lossy = made.findIndex(({ rate, requests }) => landed(rate) < requests * perRequest);
    if (lossy < 0) return made.at(-1)?.perSecond ?? 0;
    if (performance.now() > deadline) return made[lossy - 1]?.perSecond ?? 0;
    await sleep(POLL_MS);
  }
}
