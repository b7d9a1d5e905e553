import { freePort } from '@workshop/backends/ports';
import { cleanEnv } from '@workshop/testkit/app';
import { appEnv, findLogs, findTrace, localLane } from '@workshop/testkit/backends';
import { post } from '@workshop/testkit/services';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

const soon = { timeout: 60_000, interval: 250 };

describe.skipIf(process.platform === 'win32')('the fault can be found (no signals on Windows)', () => {
  test.concurrent.for([
    { number: 1, status: 200, spans: 5, red: [], errorType: undefined },
    { number: 2, status: 502, spans: 7, red: ['backend', 'frontend'], errorType: 'rate_limited' },
    { number: 3, status: 502, spans: 5, red: ['backend', 'frontend'], errorType: 'malformed_response' },
    { number: 4, status: 502, spans: 5, red: ['backend', 'frontend'], errorType: 'timeout' },
    { number: 5, status: 502, spans: 5, red: ['frontend'], errorType: undefined },
  ])('number $number: red spans in $red, the log record says $errorType', async (fault, { expect }) => {
    await using capstone = await start('--after', '2', String(fault.number));
    const since = () => capstone.stdout.split('Now it has happened')[1];
    // Both services, anew.
    await expect.poll(() => since()?.match(/listening on/g), soon).toHaveLength(2);
    expect(capstone.stdout).not.toContain('It was this');

    const url = `http://localhost:${capstone.port}`;
    const { status, body } = await post(url, { question: 'What is a trace?' });
    expect(status).toBe(fault.status);
    const spans = await findTrace(body.traceId, fault.spans);
    const red = spans.filter(({ status }) => status.code === 'ERROR').map(({ resource }) => resource['service.name']);
    expect([...new Set(red)].sort()).toEqual(fault.red);
    await expect.poll(() => findLogs(body.traceId), soon).toHaveLength(1);
    const [record] = await findLogs(body.traceId);
    expect(record?.attributes['error.type']).toBe(fault.errorType);

    const { stdout, exitCode } = await capstone.stop();
    expect(stdout).toContain('It was this. ');
    expect(exitCode).toBe(0);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });
});

describe.skipIf(process.platform === 'win32')('it ends its services, however it ends (no signals on Windows)', () => {
  test.concurrent.for(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)('%s', async (signal, { expect }) => {
    await using capstone = await start();
    await expect.poll(() => capstone.stdout.match(/listening on/g), soon).toHaveLength(2);
    capstone.kill(signal);
    for (const port of [capstone.port, capstone.backendPort]) {
      const served = () =>
        fetch(`http://localhost:${port}/health`)
          .then(() => true)
          .catch(() => false);
      await expect.poll(served, { ...soon, message: `Port ${port} is still served` }).toBe(false);
    }
  });
});

test("it names Grafana's page, or where there is none the receiver's", async () => {
  await using capstone = await start();
  const { GRAFANA_PORT, OTEL_EXPORTER_OTLP_ENDPOINT } = capstone.env;
  const page = localLane ? OTEL_EXPORTER_OTLP_ENDPOINT : `http://localhost:${GRAFANA_PORT}`;
  await expect.poll(() => capstone.stdout, soon).toContain(`All is well: see ${page}. In 30 s`);
});

async function start(...args: string[]) {
  const [frontend, backend] = [await freePort(), await freePort()];
  const env: Record<string, string> = {
    ...{ ...cleanEnv(), GRAFANA_PORT: String(await freePort()), ...appEnv },
    FRONTEND_PORT: String(frontend),
    BACKEND_PORT: String(backend),
    BACKEND_URL: `http://localhost:${backend}`,
    npm_lifecycle_event: 'capstone', // as `npm run capstone` has it: the services then look whether their parent has ended
  };
  const child = execa('node', ['capstone.ts', ...args], {
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  return {
    env,
    port: frontend,
    backendPort: backend,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    get stdout() {
      return stdout;
    },
    async stop() {
      child.kill('SIGINT');
      const { exitCode } = await child;
      return { stdout, exitCode };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await child;
    },
  };
}
