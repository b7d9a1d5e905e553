import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePortPair } from '@workshop/backends/ports';
import { cleanEnv } from '@workshop/testkit/app';
import { startProvider } from '@workshop/testkit/provider';
import { execa } from 'execa';
import getPort from 'get-port';
import { describe, expect, test } from 'vitest';

const steps = join(import.meta.dirname, '..', '..', '..', 'steps');
const NPM = /^npm/;
// Not the shell that npm runs it with. Its path may hold spaces.
const RUNNER = /^(?!sh ).*node .*workshop-services/;

describe.skipIf(process.platform === 'win32')('all that `npm start` has started ends soon after (needs ps)', () => {
  test.each([
    ['SIGTERM', 'npm alone', '01-console', NPM],
    ['SIGKILL', 'npm alone', '01-console', NPM],
    ['SIGTERM', 'npm alone', '04-propagation', NPM],
    ['SIGKILL', 'npm alone', '04-propagation', NPM],
    ['SIGKILL', 'the runner', '04-propagation', RUNNER],
    ['SIGTERM', 'npm alone', '05-collector-grafana', NPM],
    ['SIGKILL', 'npm alone', '05-collector-grafana', NPM],
    ['SIGKILL', 'the runner', '05-collector-grafana', RUNNER],
  ] as const)('%s to %s in %s', async (signal, _name, step, victim) => {
    await using app = await start(step);
    const before = await app.processes();
    expect(before.map(({ args }) => args).join('\n')).toContain('embedded-model.ts');
    const [found] = before.filter(({ args }) => victim.test(args));
    if (!found) throw new Error(`None of these is to be killed:\n${before.map(({ args }) => args).join('\n')}`);
    process.kill(found.pid, signal);

    await expect.poll(() => app.processes(), { timeout: 5_000, interval: 250 }).toEqual([]);
    expect(app.stderr, 'it was told to end: that is no news').not.toContain('has ended');
  });

  test.each([['04-propagation'], ['05-collector-grafana']])(
    'also while neither the model nor the receiver of the telemetry answers: SIGTERM to npm alone in %s',
    async (step) => {
      await using provider = await startProvider(() => {});
      await using silent = createServer(() => {}).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const [frontend, backend] = [await getPort(), await getPort()];
      await using app = await start(step, {
        ...provider.env,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        FRONTEND_PORT: String(frontend),
        BACKEND_PORT: String(backend),
        BACKEND_URL: `http://localhost:${backend}`,
      });
      const question = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"question":"What is a trace?"}',
      };
      fetch(`http://localhost:${frontend}/ask`, question).catch(() => {});
      await expect.poll(() => provider.requests, { timeout: 10_000 }).toHaveLength(1);
      const npm = (await app.processes()).find(({ args }) => NPM.test(args));
      process.kill(Number(npm?.pid), 'SIGTERM');
      const told = Date.now();

      await expect.poll(() => app.processes(), { timeout: 15_000, interval: 100 }).toEqual([]);
      const seconds = (Date.now() - told) / 1000;
      silent.closeAllConnections();
      // 5 s at most is the aim; a busy machine takes a little more.
      expect(seconds, 'seconds from the signal to the end of all').toBeLessThan(6);
    },
  );
});

/** `npm start` in a step, when the step is ready for questions. Its stdin stays open, as a terminal does when npm is killed. */
async function start(step: string, settings: NodeJS.ProcessEnv = {}) {
  const fifo = join(await mkdtemp(join(tmpdir(), 'workshop-')), 'stdin');
  await execa('mkfifo', [fifo]);
  const stdin = await open(fifo, 'r+');
  const npm = spawn('npm', ['start', '--silent'], {
    cwd: join(steps, step),
    env: {
      ...cleanEnv(),
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${await getPort()}`,
      OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()),
      FRONTEND_PORT: '0',
      BACKEND_PORT: '0',
      ...settings,
    },
    stdio: [stdin.fd, 'pipe', 'pipe'],
  });
  let output = '';
  let stderr = '';
  npm.stderr?.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  npm.stdout?.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  await expect.poll(() => output, { timeout: 20_000 }).toMatch(/^System: |(listening on[\s\S]*){2}/m);
  const started = new Set((await tree(Number(npm.pid))).map(({ pid }) => pid));
  return {
    /** Those that `npm start` came to and that still run. */
    processes: async () => (await running()).filter(({ pid }) => started.has(pid)),
    get stderr() {
      return stderr;
    },
    async [Symbol.asyncDispose]() {
      for (const { pid } of await this.processes()) process.kill(pid, 'SIGKILL');
      await stdin.close();
      await rm(dirname(fifo), { recursive: true });
    },
  };
}

type Running = { pid: number; parent: number; args: string };

async function running(): Promise<Running[]> {
  const { stdout } = await execa('ps', ['-eo', 'pid=,ppid=,stat=,args=']);
  const lines = stdout.split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []);
  return lines
    .filter(([, , , state]) => state && !state.startsWith('Z'))
    .map(([, pid, parent, , args]) => ({ pid: Number(pid), parent: Number(parent), args: String(args) }));
}

/** A process and all that come of it. */
async function tree(root: number): Promise<Running[]> {
  const all = await running();
  const below = (pid: number): Running[] =>
    all.filter(({ parent }) => parent === pid).flatMap((it) => [it, ...below(it.pid)]);
  return [...all.filter(({ pid }) => pid === root), ...below(root)];
}
