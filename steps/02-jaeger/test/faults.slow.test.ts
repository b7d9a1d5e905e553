import { existsSync } from 'node:fs';
import { type App, runApp, start, startApp } from '@workshop/testkit/app';
import { appEnv, findSpans, findTrace } from '@workshop/testkit/backends';
import { startClock } from '@workshop/testkit/clock';
import { repliesIn, traceIdsIn } from '@workshop/testkit/console';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { expectLanded, receiverFaults, startReceiver } from '@workshop/testkit/receiver';
import { describe, expect, test, vi } from 'vitest';

const HOUR_MS = 3_600_000;
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const soon = { timeout: 20_000, interval: 250 };

describe.concurrent('the receiver', () => {
  test.for(receiverFaults)('$fault: 3 answers, one complaint, 3 spans lost', async ({ start, reason, lost }) => {
    await using receiver = await start();
    const { stdout, stderr, exitCode } = await runApp([], { input: 'one\ntwo\nthree\n', env: receiver.env });

    expect(repliesIn(stdout)).toHaveLength(3);
    expect(stderr.split('\n').filter((line) => line.startsWith('Telemetry'))).toEqual([expect.stringMatching(reason)]);
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(`${lost}3 spans.`);
    expect(exitCode).toBe(0);
  });

  test.for([429, 503])('answers %i with Retry-After, then takes it: each span is there once', async (status) => {
    await using receiver = await startReceiver(
      (response, before) => before === 0 && response.writeHead(status, { 'retry-after': '1' }).end(),
    );
    await using app = startApp([], { env: { ...appEnv, ...receiver.env } });
    await ask(app, 3);
    await vi.waitFor(() => expect(receiver.tries()).toEqual([2]), soon);
    await expectLanded(traceIdsIn(app.stdout), 3);
    app.signal('SIGTERM');
    await app.ended;

    expect(app.stderr).not.toMatch(/Telemetry|Lost/);
  });
});

describe.concurrent('the clock', () => {
  test('jumps forward in a call, and back in the next: both spans land, as long as the calls were', async () => {
    await using clock = await startClock();
    await using provider = await startProvider(async (_request, response) => {
      await (provider.requests.length === 1 ? clock.forward() : clock.back());
      send(response, 200, completion(REPLY));
    });
    const from = Date.now();
    const env = { ...appEnv, ...provider.env, ...clock.env };
    const { stdout, stderr } = await runApp([], { input: 'one\ntwo\n', env });
    const took = Date.now() - from;

    const [first, second] = (await Promise.all(traceIdsIn(stdout).map((id) => findTrace(id)))).flat();
    expect(first?.durationMs).toBeLessThan(took);
    expect(second?.durationMs).toBeLessThan(took);
    expect(Number(first?.startMs) - from).toBeLessThan(took);
    expect(Number(second?.startMs) - from, 'it began while the clock was ahead').toBeGreaterThanOrEqual(HOUR_MS);
    expect(stderr).not.toMatch(/Telemetry|Lost/);
  });

  test('jumps forward while a batch waits for its second try: it gets none, and that is said', async () => {
    await using clock = await startClock();
    await using receiver = await startReceiver(async (response) => {
      await clock.forward();
      response.writeHead(503).end();
    });
    const { stderr } = await runApp(['What is a trace?'], { env: { ...receiver.env, ...clock.env } });

    expect(receiver.tries()).toEqual([1]);
    expect(stderr).toMatch(/\(traces: HTTP 503\)[\s\S]*^Lost: 1 span\.$/m);
  });
});

describe.skipIf(process.platform === 'win32').concurrent('with 5 spans in the queue (Windows has no signals)', () => {
  test.for([
    ['SIGINT', 5],
    ['SIGTERM', 5],
    ['SIGKILL', 0],
  ] as const)('%s: %i of them land', async ([signal, landing]) => {
    await using receiver = await startReceiver();
    await using app = startApp([], { env: { ...appEnv, ...receiver.env } });
    await ask(app, 5);
    app.signal(signal);
    await app.ended;
    // None, if the batch of every 5 s was not under way.
    if (landing === 0) expect(receiver.tries()).toEqual([]);

    await expectLanded(traceIdsIn(app.stdout), landing);
    expect(app.stderr).not.toMatch(/Telemetry|Lost/);
  });
});

test.skipIf(!existsSync('/dev/full')).concurrent('the disk is full: the span lands, and the end says why', async () => {
  const service = `full-${crypto.randomUUID()}`;
  const command = 'npm start --silent -- "What is a trace?" > /dev/full';
  await using app = start('sh', ['-c', command], { env: { ...appEnv, OTEL_SERVICE_NAME: service } });
  const { stderr, exitCode } = await app.ended;

  expect(stderr).toContain('The output could not be written (ENOSPC).');
  expect(exitCode).toBe(1);
  await vi.waitFor(async () => expect(await findSpans({ service })).toHaveLength(1), soon);
});

/** Asks, and waits until all is answered. */
async function ask(app: App, questions: number): Promise<void> {
  app.type('What is a trace?\n'.repeat(questions));
  await vi.waitFor(() => expect(traceIdsIn(app.stdout)).toHaveLength(questions), soon);
}
