import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCompose, servicesHere } from '@workshop/backends/compose-file';
import { keep } from '@workshop/backends/keep';
import { chooseLane } from '@workshop/backends/lane';
import { READY_PATHS } from '@workshop/backends/ready';
import { cleanEnv } from '@workshop/testkit/app';
import { execa } from 'execa';
import { median, printTable, progress, verdict } from './report.ts';
import { stepsWith } from './steps.ts';

const RUNS = 3;
const BAR_RATIO = 2;
const BAR_SECONDS = 15;
const POLL_MS = 50;
const READY_TIMEOUT_MS = 60_000;

/** How long a step's `npm test` takes, against what `docker compose up` takes until the same backends answer. */
export async function benchTests(): Promise<void> {
  const rows: string[][] = [];
  for (const { name, path } of await stepsWith('compose.yaml')) {
    const chosen = await chooseLane(path);
    if (chosen.lane === 'local') return console.log(`\ntests: skipped: ${chosen.reason}`);
    const bare: number[] = [];
    const tests: number[] = [];
    let passed = true;
    for (let run = 0; run < RUNS; run += 1) {
      progress(`tests: ${name}, run ${run + 1} of ${RUNS}`);
      bare.push(await timeCompose(path));
      const { seconds, exitCode } = await timeTests(path);
      tests.push(seconds);
      passed &&= exitCode === 0;
    }
    const bar = BAR_RATIO * median(bare) + BAR_SECONDS;
    const ratio = median(tests) / median(bare);
    const judged = passed ? verdict(median(tests), bar) : 'tests fail';
    rows.push([name, median(bare).toFixed(1), median(tests).toFixed(1), ratio.toFixed(1), bar.toFixed(1), judged]);
  }
  const title = `tests: seconds, medians of ${RUNS} runs; the bar is ${BAR_RATIO} x bare compose + ${BAR_SECONDS} s`;
  printTable(title, ['step', 'bare compose', 'npm test', 'ratio', 'bar', ''], rows);
}

async function timeTests(cwd: string): Promise<{ seconds: number; exitCode: number | undefined }> {
  const start = performance.now();
  const { exitCode } = await execa('npm', ['test'], {
    cwd,
    env: { ...cleanEnv(), BACKENDS: 'containers' },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    killDescendants: true,
  });
  return { seconds: secondsSince(start), exitCode };
}

/** Seconds from `docker compose up` to backends that answer, on free ports; taken down afterwards. */
async function timeCompose(cwd: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  const project = basename(folder).toLowerCase();
  const takeDown = await keep(folder, project);
  try {
    const env = await freePorts(cwd);
    const services = await servicesHere(await readCompose(cwd));
    const start = performance.now();
    await execa('docker', ['compose', '-p', project, 'up', '--detach', ...services], { cwd, env });
    await Promise.all((await readyUrls(project)).map(answers));
    return secondsSince(start);
  } finally {
    await takeDown();
  }
}

/** The port variables of a step's compose.yaml, empty: Docker chooses free ports. */
async function freePorts(step: string): Promise<Record<string, string>> {
  const text = await readFile(join(step, 'compose.yaml'), 'utf8');
  return Object.fromEntries([...text.matchAll(/\$\{(\w+_PORT)-/g)].map(([, name]) => [name, '']));
}

async function readyUrls(project: string): Promise<string[]> {
  const { stdout } = await execa('docker', ['compose', '-p', project, 'ps', '--format', 'json'], { lines: true });
  const ports: { TargetPort: number; PublishedPort: number }[] = stdout.flatMap((line) => JSON.parse(line).Publishers);
  return ports.flatMap(({ TargetPort, PublishedPort }) => {
    const path = PublishedPort && READY_PATHS[TargetPort];
    return path ? [`http://localhost:${PublishedPort}${path}`] : [];
  });
}

/** Waits until `url` answers 200. */
async function answers(url: string): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > deadline)
      throw new Error(`${url} does not answer 200 within ${READY_TIMEOUT_MS / 1000} s.`);
    await sleep(POLL_MS);
  }
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
