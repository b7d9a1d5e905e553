import { cleanEnv } from '@workshop/testkit/app';
import { appEnv, findLogs, findTrace } from '@workshop/testkit/backends';
import { post } from '@workshop/testkit/services';
import { execa } from 'execa';
import getPort from 'get-port';
import { describe, test } from 'vitest';

const HINT = 'the services of the capstone send nothing.';
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
    const spans = await findTrace(body.traceId, HINT, fault.spans);
    const red = spans.filter(({ status }) => status.code === 'ERROR').map(({ resource }) => resource['service.name']);
    expect([...new Set(red)].sort()).toEqual(fault.red);
    await expect.poll(() => findLogs(body.traceId), soon).toHaveLength(1);
    const [record] = await findLogs(body.traceId);
    expect(record?.attributes.error_type).toBe(fault.errorType);

    const { stdout, exitCode } = await capstone.stop();
    expect(stdout).toContain('It was this. ');
    expect(exitCode).toBe(0);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });
});

async function start(...args: string[]) {
  const [frontend, backend] = [await getPort(), await getPort()];
  const child = execa('node', ['capstone.ts', ...args], {
    env: {
      ...cleanEnv(),
      ...appEnv,
      FRONTEND_PORT: String(frontend),
      BACKEND_PORT: String(backend),
      BACKEND_URL: `http://localhost:${backend}`,
    },
    extendEnv: false,
    killDescendants: true,
    reject: false,
    stdin: 'ignore',
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  return {
    port: frontend,
    get stdout() {
      return stdout;
    },
    async stop() {
      child.kill('SIGINT');
      const { exitCode } = await child;
      return { stdout, exitCode };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await child;
    },
  };
}
