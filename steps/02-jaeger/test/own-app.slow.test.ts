import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { appEnv, findSpans, findTrace } from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { installOwnApp } from '@workshop/testkit/own-app';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';

const own = await installOwnApp(await readFile(join(import.meta.dirname, '../README.md'), 'utf8'));
afterAll(own[Symbol.asyncDispose]);
const app = join(own.dir, 'app.ts');
const program = await readFile(app, 'utf8');
const RUNS_ON = 'setInterval(() => {}, 1_000);';

describe('"In your own app": a program without the workshop keeps its last span', () => {
  beforeEach(() => writeFile(app, program));

  test('as the README has it', async () => {
    const { stdout, stderr, exitCode } = await own.start(appEnv).ended;

    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(await findTrace(traceIdsIn(stdout)[0])).toMatchObject([
      { name: 'my_work', resource: { 'service.name': 'my-app', 'telemetry.sdk.language': 'nodejs' } },
    ]);
  });

  test.each([
    ['when it ends, with the exit code that it has set', 'process.exitCode = 3;', 3],
    ['when nobody catches an exception', "throw new Error('a bug');", 1],
    ['when nobody catches a rejection', "Promise.reject(new Error('a bug'));", 1],
  ])('%s, and OTEL_SERVICE_NAME names it', async (_name, ending, exitCode) => {
    await writeFile(app, program + ending);
    const ended = await own.start({ ...appEnv, OTEL_SERVICE_NAME: 'my-other-app' }).ended;

    expect(ended.exitCode).toBe(exitCode);
    const [span] = await findTrace(traceIdsIn(ended.stdout)[0]);
    expect(span).toMatchObject({ name: 'my_work', resource: { 'service.name': 'my-other-app' } });
  });

  test.skipIf(process.platform === 'win32').each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('on %s, with exit code %i (Windows has no signals)', async (signal, exitCode) => {
    await writeFile(app, program + RUNS_ON);
    await using running = own.start(appEnv);
    await running.shows(/^Trace: /m);
    running.signal(signal);

    expect((await running.ended).exitCode).toBe(exitCode);
    expect(await findTrace(traceIdsIn(running.stdout)[0])).toMatchObject([{ name: 'my_work' }]);
  });

  test('and waits 3 s at most for a receiver that never answers', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await using running = own.start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    await running.shows(/^Trace: /m);
    const worked = Date.now();

    expect((await running.ended).exitCode).toBe(0);
    expect(Date.now() - worked).toBeGreaterThan(2_500);
    expect(Date.now() - worked).toBeLessThan(5_000);
    silent.close();
  });

  test.skipIf(process.platform === 'win32')('but not after kill -9 (Windows has no signals)', async () => {
    await writeFile(app, program + RUNS_ON);
    await using killed = own.start(appEnv);
    await killed.shows(/^Trace: /m);
    killed.signal('SIGKILL');
    await killed.ended;
    await writeFile(app, program);
    const later = await own.start(appEnv).ended;
    await findTrace(traceIdsIn(later.stdout)[0]); // when this one is there, the lost one would be too

    expect(await findSpans({ traceId: String(traceIdsIn(killed.stdout)[0]) })).toEqual([]);
  });
});
