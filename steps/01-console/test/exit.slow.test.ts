import { canUseTerminal, startApp, startAppOnTerminal } from '@workshop/testkit/app';
import { spansIn } from '@workshop/testkit/console';
import { describe, expect, test } from 'vitest';

const SLOW = { LLM_FAULT: 'slow' };
const onUnix = process.platform !== 'win32';

describe.runIf(canUseTerminal)('on a terminal (on Linux, whose script command makes one)', () => {
  test('Ctrl-C during a slow call: the span is printed as cancelled, exit 130', async () => {
    await using app = startAppOnTerminal([], { env: SLOW });
    await app.shows(/How can I help You Today\?/);
    app.type('What is a trace?\r');
    await app.shows(/Human: What is a trace\?/);
    app.type('\x03');
    const { exitCode } = await app.ended;

    expect(exitCode).toBe(130);
    expect(spansIn(app.stdout)).toMatchObject([{ attributes: { 'error.type': 'cancelled' }, status: { code: 2 } }]);
  });

  test('Ctrl-C with a question on the command line: the same', async () => {
    await using app = startAppOnTerminal(['What is a trace?'], { env: SLOW });
    await app.shows(/Human: What is a trace\?/);
    app.type('\x03');
    const { exitCode } = await app.ended;

    expect(exitCode).toBe(130);
    expect(spansIn(app.stdout)).toMatchObject([{ attributes: { 'error.type': 'cancelled' } }]);
  });

  test.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])('%s at the prompt ends with 0: npm has nothing to complain of', async (_name, key) => {
    await using app = startAppOnTerminal();
    await app.shows(/How can I help You Today\?/);
    app.type(key);
    expect((await app.ended).exitCode).toBe(0);
  });

  test('Ctrl-C at the prompt after a question: the same', async () => {
    await using app = startAppOnTerminal();
    await app.shows(/How can I help You Today\?/);
    app.type('What is a trace?\r');
    await app.shows(/Trace: [0-9a-f]{32}[\s\S]*How can I help You Today\?/);
    app.type('\x03');
    expect((await app.ended).exitCode).toBe(0);
  });

  test('an empty line is asked again', async () => {
    await using app = startAppOnTerminal();
    await app.shows(/How can I help You Today\?/);
    app.type('\r  \rWhat is a trace?\r');
    await app.shows(/Trace: /);
    app.type('\x04');
    await app.ended;

    expect(app.stdout.match(/How can I help You Today\?/g)?.length).toBeGreaterThanOrEqual(4);
    expect(spansIn(app.stdout)).toHaveLength(1);
  });
});

describe.runIf(onUnix)('signals to the process group (Windows has none)', () => {
  test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    '%s during a slow call: the span is printed as cancelled',
    async (signal) => {
      await using app = startApp(['What is a trace?'], { env: SLOW });
      await app.shows(/Human: What is a trace\?/);
      app.signal(signal);
      await app.ended;

      await expect.poll(() => spansIn(app.stdout)).toMatchObject([{ attributes: { 'error.type': 'cancelled' } }]);
    },
  );
});
