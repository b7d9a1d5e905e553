import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCompose, servicesHere } from '@workshop/backends/compose-file';
import { keep } from '@workshop/backends/keep';
import { READY_PATHS } from '@workshop/backends/ready';
import { root } from '@workshop/lessons/steps';
import { cleanEnv } from '@workshop/testkit/app';
import { execa } from 'execa';
import { type Figure, figure, progress, secondsSince } from './figures.ts';
import { stepsWith } from './steps.ts';

const BAR_RATIO = 2;
const BAR_SECONDS = 15;
const BAR_ALL_SECONDS = 120;
const LAST_LINES = 15;
const POLL_MS = 50;
const READY_TIMEOUT_MS = 60_000;

/** How long `npm test` takes: a step's, against `docker compose up` until the same backends answer; and the whole. */
export async function benchTests(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, dir } of stepsWith('compose.yaml')) {
    progress(`tests: ${name}`);
    const compose = await timeCompose(dir);
    const baseline = { id: 'bare compose', values: [compose] };
    figures.push(figure(name, 's', [await timeTests(dir)], { baseline, bar: BAR_RATIO * compose + BAR_SECONDS }));
  }
  progress('tests: all, two to three minutes');
  return [...figures, figure('all', 's', [await timeTests(root)], { bar: BAR_ALL_SECONDS })];
}

/** Throws an Error with the last lines when a test fails: it takes another time then. */
async function timeTests(cwd: string): Promise<number> {
  const start = performance.now();
  const { failed, all } = await execa('npm', ['test'], {
    cwd,
    env: { ...cleanEnv(), BACKENDS: 'containers' },
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    reject: false,
    killDescendants: true,
  });
  if (failed)
    throw new Error(`npm test fails in ${cwd}. Its last lines:\n${all.split('\n').slice(-LAST_LINES).join('\n')}`);
  return secondsSince(start);
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
