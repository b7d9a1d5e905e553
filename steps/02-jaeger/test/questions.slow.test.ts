import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runApp } from '@workshop/testkit/app';
import { expect, test } from 'vitest';

test.each([
  [{}, /^Trace: (?!0+ )[0-9a-f]{32} {2}http:\/\/localhost:\d+\/trace\/[0-9a-f]{32}$/m],
  [{ OTEL_TRACES_SAMPLER: 'always_off' }, /^Trace: (?!0+ )[0-9a-f]{32} {2}not sampled$/m],
  [
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' },
    /^Trace: (?!0+ )[0-9a-f]{32} {2}not sampled$/m,
  ],
  [{ OTEL_SDK_DISABLED: 'true' }, /^Trace: 0{32} {2}not sampled$/m],
])('%j: a link stands under replies and errors, if the trace is sampled', async (env, line) => {
  await using page = await startPage();
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: page.url, JAEGER_UI_PORT: page.port, ...env };
  for (const fault of [{}, { LLM_FAULT: 'malformed' }]) {
    const { stdout, stderr } = await runApp(['What is a trace?'], { env: { ...all, ...fault } });
    expect(stdout).toMatch(line);
    expect(stderr).not.toContain('Telemetry');
  }
});

/** Takes the place of Jaeger: answers every GET as its page does, every POST as its receiver. */
async function startPage() {
  const server = createServer((request, response) => {
    response.end(request.method === 'GET' ? '<title>Jaeger UI</title>' : '{}');
  }).listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}`,
    port: String(port),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
