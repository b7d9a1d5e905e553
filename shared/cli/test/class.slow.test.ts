import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { whyNoEngine } from '@workshop/backends/lane';
import { freePort } from '@workshop/backends/ports';
import { readerOf } from '@workshop/backends/reader';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { copyWorkshop } from './copy.ts';

const noContainers = process.env.BACKENDS === 'local' || Boolean(await whyNoEngine());

const workshop = await copyWorkshop();
const { dir, run } = workshop;
// A project and ports of its own: one that runs here stays.
const project = `workshop-class-${process.pid}`;
const env = {
  COMPOSE_PROJECT_NAME: project,
  BACKENDS: 'containers',
  WITHOUT: process.env.WITHOUT ?? '',
  CLASS_PORT: String(await freePort()),
  COLLECTOR_HEALTH_PORT: String(await freePort()),
  GRAFANA_PORT: String(await freePort()),
  JAEGER_UI_PORT: String(await freePort()),
  OTLP_PORT: String(await freePort()),
  PROMETHEUS_PORT: String(await freePort()),
  VICTORIALOGS_PORT: String(await freePort()),
};
const jaeger = `http://localhost:${env.JAEGER_UI_PORT}`;
const { findLogs, findSeries, services } = readerOf({ lane: 'containers', without: [], env });
afterAll(async () => {
  if (!noContainers) await execa('docker', ['compose', '-p', project, 'down', '--volumes', '--timeout', '1']);
  await workshop[Symbol.asyncDispose]();
});

test('--class is for a step with a Collector', async () => {
  const { stderr, exitCode } = await run(['up', '03', '--class']);
  expect(stderr).toContain('error: step 03 has no Collector: npx workshop up 05 --class');
  expect(exitCode).toBe(2);
});

test.each([
  [{ BACKENDS: 'local' }, /^--class needs containers: BACKENDS=local\.$/],
  [{ DOCKER_HOST: 'tcp://127.0.0.1:1', BACKENDS: '' }, /^--class needs containers: no Docker engine answers/],
])('--class with %j says what it needs', async (without, message) => {
  const { stdout, stderr, exitCode } = await run(['up', '05', '--class'], { env: without });
  expect(stderr).toMatch(message);
  expect(stdout).not.toContain('OTEL_EXPORTER_OTLP_HEADERS');
  expect(exitCode).toBe(1);
});

describe.skipIf(noContainers)('up 05 --class (local lane: no Docker)', () => {
  let printed = '';
  let endpoint = '';

  beforeAll(async () => {
    const { stdout, stderr, exitCode } = await run(['up', '05', '--class'], { env });
    expect(exitCode, stderr).toBe(0);
    printed = stdout;
    endpoint = String(/^OTEL_EXPORTER_OTLP_ENDPOINT=(.+)$/m.exec(printed)?.[1]);
  }, 120_000);

  test('opens one port beyond this machine, and says which', async () => {
    expect(await opened()).toEqual([`0.0.0.0:${env.CLASS_PORT}`]);
    expect(printed).toContain(`Port ${env.CLASS_PORT} is open to other machines`);
    const { hostname, port } = new URL(endpoint);
    expect(hostname).not.toMatch(/^(127\.|localhost)/);
    expect(port).toBe(env.CLASS_PORT);
    for (const closed of [env.OTLP_PORT, env.JAEGER_UI_PORT, env.PROMETHEUS_PORT, env.VICTORIALOGS_PORT])
      await expect(fetch(`http://${hostname}:${closed}`), `port ${closed}`).rejects.toThrow();
  });

  test.each([
    ['without a token', 'stranger-without', () => ''],
    ['with a wrong token', 'stranger-with', (line: string) => `${line}0`],
  ])('refuses who comes %s, who is told so; nothing lands', async (_, name, changed) => {
    const file = await envFile(name, printed.replace(/^OTEL_EXPORTER_OTLP_HEADERS=.*$/m, changed));
    await appendFile(file, `OTEL_SERVICE_NAME=${name}\n`);
    const { stdout, stderr } = await run(['start', '02', 'What is a span?'], { env: { WORKSHOP_ENV_FILE: file } });
    expect(stderr).toContain(
      `Telemetry was not sent to ${endpoint}/v1/traces (traces: HTTP 401). Check the credentials in OTEL_EXPORTER_OTLP_HEADERS.`,
    );
    const traceId = /^Trace: ([0-9a-f]{32})$/m.exec(stdout)?.[1];
    expect((await fetch(`${jaeger}/api/v3/traces/${traceId}`)).status).toBe(404);
  });

  test('takes all three signals of who writes its lines into .env, under their own name', async () => {
    const file = await envFile('anna', printed.replace('YOUR-NAME', 'anna'));
    const traceId = await askServices(file);

    await expect.poll(() => tracesOf('anna'), { timeout: 15_000 }).toEqual([traceId]);
    expect(await tracesOf('ben')).toEqual([]);

    const jobs = async () =>
      (await findSeries('gen_ai_client_operation_duration_seconds_count')).map(({ labels }) => labels.job);
    await expect.poll(jobs, { timeout: 15_000 }).toEqual(['anna/backend']);

    const namespaces = async () => (await findLogs(traceId)).map(({ attributes }) => attributes['service.namespace']);
    await expect.poll(namespaces, { timeout: 15_000 }).toContain('anna');

    // What was refused before has had its time to land.
    expect(await services()).not.toContainEqual(expect.stringMatching(/^stranger/));
  });

  test('up 05 closes the port again, --class makes a new token, and down ends all', async () => {
    expect((await run(['up', '05'], { env })).exitCode).toBe(0);
    expect(await opened()).toEqual([]);
    await expect(fetch(endpoint)).rejects.toThrow();

    const again = await run(['up', '05', '--class'], { env });
    expect(tokenIn(again.stdout)).toMatch(/^[0-9a-f]{32}$/);
    expect(tokenIn(again.stdout)).not.toBe(tokenIn(printed));
    const old = { authorization: `Bearer ${tokenIn(printed)}`, 'content-type': 'application/json' };
    expect((await fetch(`${endpoint}/v1/traces`, { method: 'POST', headers: old, body: '{}' })).status).toBe(401);

    expect((await run(['down'], { env })).exitCode).toBe(0);
    await expect(fetch(endpoint)).rejects.toThrow();
    expect(await containers('{{.Names}}')).toEqual([]);
  });
});

/** The ids of the traces that Jaeger's page finds by the tag. */
async function tracesOf(namespace: string): Promise<string[]> {
  const query = new URLSearchParams({ service: 'frontend', tags: JSON.stringify({ 'service.namespace': namespace }) });
  const response = await fetch(`${jaeger}/api/traces?${query}`);
  const { data } = (await response.json()) as { data: { traceID: string }[] };
  return data.map(({ traceID }) => traceID);
}

/** The addresses beyond this machine's own that the containers are published at. */
async function opened(): Promise<string[]> {
  const ports = (await containers('{{.Ports}}')).flatMap((line) => line.split(', '));
  return ports.flatMap((port) => /^(.+)->/.exec(port)?.[1] ?? []).filter((host) => !host.startsWith('127.0.0.1:'));
}

async function containers(format: string): Promise<string[]> {
  const filter = `label=com.docker.compose.project=${project}`;
  const { stdout } = await execa('docker', ['ps', '--all', '--filter', filter, '--format', format]);
  return stdout.split('\n').filter(Boolean);
}

function tokenIn(text: string): string | undefined {
  return /Bearer%20(\S+)/.exec(text)?.[1];
}

/** A file like .env with the lines that are printed for it. */
async function envFile(name: string, text: string): Promise<string> {
  const file = join(dir, `${name}.env`);
  await writeFile(file, `${(text.match(/^OTEL_.+$/gm) ?? []).join('\n')}\n`);
  return file;
}

/** Runs step 05's services with the settings in `file`, asks a question, and returns the id of its trace. */
async function askServices(file: string): Promise<string> {
  const [frontend, backend] = [await freePort(), await freePort()];
  const ports = {
    FRONTEND_PORT: `${frontend}`,
    BACKEND_PORT: `${backend}`,
    BACKEND_URL: `http://localhost:${backend}`,
  };
  const running = execa('workshop', ['start', '05'], {
    cwd: dir,
    env: { ...workshop.env, ...ports, WORKSHOP_ENV_FILE: file },
    reject: false,
    killDescendants: true,
  });
  let stdout = '';
  running.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  try {
    await vi.waitFor(() => expect(stdout.match(/listening on/g)).toHaveLength(2), { timeout: 20_000 });
    const asked = await run(['ask', 'What is a trace?'], { env: { FRONTEND_PORT: `${frontend}` } });
    return String(/^Trace: ([0-9a-f]{32})/m.exec(asked.stdout)?.[1]);
  } finally {
    running.kill('SIGTERM'); // it sends what it has
    await running;
  }
}
