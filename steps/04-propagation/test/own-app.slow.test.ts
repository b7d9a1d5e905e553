import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '@workshop/backends/ports';
import { appEnv, findSpans } from '@workshop/testkit/backends';
import { installOwnApp } from '@workshop/testkit/own-app';
import { expect, test } from 'vitest';

test('"In your own app": one request makes one trace of three spans, with their routes', async () => {
  const readme = await readFile(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  await using own = await installOwnApp(readme);
  const service = `own-${crypto.randomUUID()}`;
  const port = String(await freePort());
  await using app = own.start({ ...appEnv, OTEL_SERVICE_NAME: service, PORT: port });
  await app.shows(/listening/);
  expect(await (await fetch(`http://localhost:${port}`)).json()).toEqual({ id: '7' });

  await expect.poll(() => findSpans({ service }), { timeout: 10_000 }).toHaveLength(3);
  const spans = await findSpans({ service });
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  const [first] = spans.filter(({ parentSpanId }) => !parentSpanId);
  const [request] = spans.filter(({ parentSpanId }) => parentSpanId === first?.spanId);
  const [second] = spans.filter(({ parentSpanId }) => parentSpanId === request?.spanId);
  expect(first).toMatchObject({ kind: 'SERVER', name: 'GET /', attributes: { 'http.route': '/' } });
  expect(request).toMatchObject({ kind: 'CLIENT', name: 'GET' });
  expect(second).toMatchObject({ kind: 'SERVER', name: 'GET /users/:id', attributes: { 'http.route': '/users/:id' } });
});
