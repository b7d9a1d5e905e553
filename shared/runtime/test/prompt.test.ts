import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const QUESTIONS = Array.from({ length: 500 }, (_, i) => `question ${i}\n`).join('');

const start = (options = {}, args: string[] = []) =>
  execa(process.execPath, [join(import.meta.dirname, 'asker.ts'), ...args], {
    input: QUESTIONS,
    reject: false,
    ...options,
  });
const asked = (stderr: string) => stderr.match(/^asked /gm)?.length;

test.skipIf(process.platform === 'win32')('after Ctrl-C, lines that were piped in are not asked any more', async () => {
  const program = start();
  program.stdout.once('data', () => program.kill('SIGINT'));
  const { stderr, exitCode } = await program;
  expect(exitCode).toBe(130);
  expect(asked(stderr)).toBeLessThan(100);
  expect(stderr.match(/^No reply/gm)?.length ?? 0).toBeLessThanOrEqual(1);
});

test('nor after the reader of the output has gone', async () => {
  const program = start();
  program.stdout.once('data', () => program.stdout.destroy());
  const { stderr, exitCode } = await program;
  expect(exitCode).toBe(0);
  expect(asked(stderr)).toBeLessThan(100);
});

test.skipIf(!existsSync('/dev/full'))('nor when the output cannot be written (Linux only)', async () => {
  const { stderr, exitCode } = await start({ stdout: openSync('/dev/full', 'w') });
  expect(exitCode).toBe(1);
  expect(asked(stderr) ?? 0).toBeLessThan(100);
  expect(stderr.trimEnd().split('\n').at(-1)).toBe('The output could not be written (ENOSPC).');
});

test.skipIf(!existsSync('/dev/full'))(
  'output that cannot be written is the one reason given (Linux only)',
  async () => {
    const { stderr } = await start({ stdout: openSync('/dev/full', 'w') }, ['one']);
    expect(stderr).toBe('asked one\nThe output could not be written (ENOSPC).');
  },
);

test('otherwise all of them are asked', async () => {
  const { stderr, exitCode } = await start({ input: 'one\ntwo\nthree' });
  expect(asked(stderr)).toBe(3);
  expect(exitCode).toBe(0);
});
