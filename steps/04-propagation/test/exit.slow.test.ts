import { freePortPair } from '@workshop/backends/ports';
import { canUseTerminal, startApp, startAppOnTerminal } from '@workshop/testkit/app';
import { appEnv, findTrace } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { startServices } from '@workshop/testkit/services';
import { expect, test } from 'vitest';

const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const TRACE_ID = () => crypto.randomUUID().replaceAll('-', '');

test.skipIf(process.platform === 'win32')(
  'SIGTERM: what is in flight is aborted after 2 s, its spans are ended and land',
  async () => {
    await using provider = await startProvider(() => {}); // never answers
    await using services = await startServices({ env: provider.env });
    const traceId = TRACE_ID();
    const asked = services
      .ask('What is a trace?', { traceparent: `00-${traceId}-80f345e18ee169e9-01` })
      .catch(() => undefined);
    await expect.poll(() => provider.requests, { timeout: 10_000 }).toHaveLength(1);
    services.app.signal('SIGTERM');
    await services.app.ended;
    await asked;

    const spans = await findTrace(traceId, 5);
    const call = spans.find(({ name }) => name === 'call_llm_api');
    expect(call).toMatchObject({ status: { code: 'ERROR' }, attributes: { 'error.type': 'cancelled' } });
    expect(spans.map(({ kind }) => kind).sort()).toEqual(['CLIENT', 'CLIENT', 'INTERNAL', 'SERVER', 'SERVER']);
  },
);

test.skipIf(process.platform === 'win32')('SIGTERM: what is answered within 2 s is answered', async () => {
  await using provider = await startProvider((_request, response) => {
    setTimeout(() => send(response, 200, completion(REPLY)), 1_000);
  });
  await using services = await startServices({ env: provider.env });
  const asked = services.ask('What is a trace?');
  await expect.poll(() => provider.requests, { timeout: 10_000 }).toHaveLength(1);
  services.app.signal('SIGTERM');

  const { status, body } = await asked;
  expect(status).toBe(200);
  await services.app.ended;
  await findTrace(body.traceId, 5);
});

test.skipIf(!canUseTerminal)('Ctrl-C ends both services and frees their ports', async () => {
  const metrics = String(await freePortPair());
  const env = { ...appEnv, OTEL_EXPORTER_PROMETHEUS_PORT: metrics, FRONTEND_PORT: '0', BACKEND_PORT: '0' };
  await using app = startAppOnTerminal([], { env });
  await app.shows(/frontend \| listening/);
  await app.shows(/backend {2}\| listening/);
  app.type('\x03');
  const { stdout, exitCode } = await app.ended;
  expect(exitCode).toBe(130);
  expect(stdout, 'the person ended them: that is no news').not.toContain('has ended');
  await expect(fetch(`http://localhost:${metrics}/metrics`)).rejects.toThrow();
});

test('a port that is taken: says which, and both services end', async () => {
  await using services = await startServices();
  const env = { ...appEnv, OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()), BACKEND_PORT: '0' };
  await using second = startApp([], { env: { ...env, FRONTEND_PORT: new URL(services.url).port } });
  const { stderr, exitCode } = await second.ended;
  expect(stderr).toContain(`Cannot listen on port ${new URL(services.url).port} (EADDRINUSE)`);
  expect(stderr).toContain('The service frontend has ended (exit code 1). Now the other one is ended too.');
  expect(exitCode).toBe(1);
});
