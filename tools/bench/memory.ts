import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { root } from '@workshop/lessons/steps';
import { cleanEnv } from '@workshop/testkit/app';
import { completion } from '@workshop/testkit/provider';
import { execa } from 'execa';
import type { Sample } from './calls.ts';
import { type Figure, figure, progress } from './figures.ts';
import { STEP_05 } from './steps.ts';

const CALLS = 100_000;
/** They hold what they hold by then. */
const BARE_CALLS = 10_000;
const TIMEOUT_MS = 300_000;
const REPLY = JSON.stringify(completion('{"query":"q","joke":"j","text":"t","question":"?"}'));
const LLM_TIMEOUT_MS = '2000';
const APPS = ['02-jaeger', '05-collector-grafana'];

/** What an app holds after 100,000 calls, against what it holds after 1,000, and against bare calls. */
export async function benchMemory(): Promise<Figure[]> {
  await using server = await startServer();
  progress(`memory: ${CALLS} calls of each app, two to four minutes`);
  // All at once: nothing is timed.
  const [bare, ...apps] = await Promise.all([
    runCalls(STEP_05, server.url, 'bare'),
    ...APPS.map((name) => runCalls(join(root, 'steps', name), server.url, 'instrumented')),
  ]);
  return (['heap', 'rss'] as const).flatMap((what) => {
    const early = (samples: Sample[] = []) => samples.slice(0, samples.length / 2).map((sample) => sample[what]);
    const late = (samples: Sample[] = []) => samples.slice(samples.length / 2).map((sample) => sample[what]);
    const growth = (name: string, samples?: Sample[]) =>
      figure(`${what}, ${name}`, 'MiB', late(samples), { baseline: { id: 'after 1,000', values: early(samples) } });
    const beside = (name: string, samples: Sample[]) =>
      figure(`${what}, ${name} beside bare`, 'MiB', late(samples), { baseline: { id: 'bare', values: late(bare) } });
    const ofApps = apps.flatMap((samples, i) => [growth(String(APPS[i]), samples), beside(String(APPS[i]), samples)]);
    return [growth('bare', bare), ...ofApps];
  });
}

/** Answers as a language model and as a receiver of telemetry that takes all. */
async function startServer() {
  const server = createServer((request, response) => {
    const isChat = request.url?.endsWith('/chat/completions');
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(isChat ? REPLY : '{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Throws an Error when telemetry is dropped or not sent: what was lost is no longer held. */
async function runCalls(step: string, url: string, kind: 'bare' | 'instrumented'): Promise<Sample[]> {
  const telemetry = kind === 'bare' ? [] : ['--import', './src/telemetry.ts'];
  const args = [
    '--expose-gc',
    ...telemetry,
    join(import.meta.dirname, 'calls.ts'),
    kind,
    String(kind === 'bare' ? BARE_CALLS : CALLS),
  ];
  const { failed, shortMessage, ipcOutput, stderr } = await execa(process.execPath, args, {
    cwd: step,
    env: {
      ...cleanEnv(),
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      LLM_BASE_URL: `${url}/v1`,
      LLM_MODEL: 'bench',
      LLM_TIMEOUT_MS,
    },
    extendEnv: false,
    ipc: true,
    timeout: TIMEOUT_MS,
    reject: false,
  });
  if (failed || stderr) throw new Error(`${shortMessage ?? 'The calls complain.'}\n${stderr}`);
  return ipcOutput as Sample[];
}
