import { existsSync } from 'node:fs';
import { runApp, start, startApp, unknownHost } from '@workshop/testkit/app';
import { startClock } from '@workshop/testkit/clock';
import { spansIn } from '@workshop/testkit/console';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { describe, expect, test, vi } from 'vitest';

const HOUR_MS = 3_600_000;
const QUESTION = 'What is a trace?';
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';

describe.concurrent('faults', () => {
  test('the name of the model is unknown: the span says unavailable', async () => {
    const env = { LLM_BASE_URL: `http://${unknownHost}/v1`, LLM_MODEL: 'any', LLM_API_KEY: 'sk-of-the-test' };
    const { stdout, stderr, exitCode } = await runApp([QUESTION], { env });

    expect(spansIn(stdout)).toMatchObject([{ attributes: { 'error.type': 'unavailable' }, status: { code: 2 } }]);
    expect(stderr).toContain('No reply (unavailable): ');
    expect(exitCode).toBe(1);
  });

  test('the clock jumps forward in a call, and back in the next: both spans are as long as the calls were', async () => {
    await using clock = await startClock();
    await using provider = await startProvider(async (_request, response) => {
      await (provider.requests.length === 1 ? clock.forward() : clock.back());
      send(response, 200, completion(REPLY));
    });
    const from = Date.now();
    const { stdout } = await runApp([], { input: 'one\ntwo\n', env: { ...provider.env, ...clock.env } });
    const took = Date.now() - from;

    const spans = spansIn(stdout);
    const [first = 0, second = 0] = spans.map(({ timestamp }) => timestamp / 1000 - from);
    expect(spans).toHaveLength(2);
    for (const { duration } of spans) expect(duration / 1000).toBeLessThan(took);
    expect(first).toBeLessThan(took);
    expect(second, 'it began while the clock was ahead').toBeGreaterThanOrEqual(HOUR_MS);
  });

  test.skipIf(process.platform === 'win32')(
    'SIGKILL: the span of the open call is lost (Windows has none)',
    async () => {
      await using app = startApp([], { env: { LLM_LATENCY_MS: '2000' } });
      app.type(`${QUESTION}\n${QUESTION}\n`);
      await vi.waitFor(() => expect(app.stdout.match(/^Human: /gm)).toHaveLength(2), { timeout: 20_000 });
      app.signal('SIGKILL');
      await app.ended;

      expect(spansIn(app.stdout)).toHaveLength(1);
      expect(app.stderr).not.toContain('Lost');
    },
  );

  test.skipIf(!existsSync('/dev/full'))('the disk is full: the end says why (Linux only)', async () => {
    await using app = start('sh', ['-c', `npm start --silent -- "${QUESTION}" > /dev/full`], {});
    const { stderr, exitCode } = await app.ended;

    expect(stderr).toContain('The output could not be written (ENOSPC).');
    expect(exitCode).toBe(1);
  });
});
