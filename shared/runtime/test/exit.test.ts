import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { spansIn } from '@workshop/testkit/console';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const start = (end: string, options = {}) =>
  execa(process.execPath, [join(import.meta.dirname, 'program.ts'), end], { reject: false, ...options });

test.each([
  ['normal end', 0],
  ['exit code', 3],
  ['exception', 1],
  ['rejection', 1],
])('%s: the open span is ended and flushed once, exit code %i', async (end, code) => {
  const { stdout, exitCode } = await start(end);
  expect(spansIn(stdout)).toMatchObject([{ name: 'work' }]);
  expect(exitCode).toBe(code);
});

test('an exception is printed with its stack and without its cause', async () => {
  const { stderr } = await start('exception');
  expect(stderr).toMatch(/Error: a bug\n {4}at .*program\.ts/);
  expect(stderr).not.toContain('a secret');
});

test.skipIf(process.platform === 'win32').each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s, twice as npm sends it: flushed once, exit code %i', async (signal, code) => {
  const program = start('wait');
  program.stdout.once('data', () => {
    program.kill(signal);
    program.kill(signal);
  });
  const { stdout, exitCode } = await program;
  expect(spansIn(stdout)).toHaveLength(1);
  expect(exitCode).toBe(code);
});

test('what never ends is given up', async () => {
  const { exitCode, durationMs } = await start('stuck');
  expect(exitCode).toBe(0);
  expect(durationMs).toBeLessThan(10_000);
});

test('a megabyte of output arrives whole', async () => {
  const { stdout } = await start('flood');
  expect(stdout.match(/x+/g)?.some((line) => line.length === 1_000_000)).toBe(true);
});

test.each(['stdout', 'stderr', 'both'])('when the reader of its output is gone it ends: %s', async (gone) => {
  const program = start('chatter');
  program.stdout.once('data', () => {
    if (gone !== 'stderr') program.stdout.destroy();
    if (gone !== 'stdout') program.stderr.destroy();
  });
  expect((await program).exitCode).toBe(0);
});

test.skipIf(!existsSync('/dev/full'))('output that cannot be written is an error (Linux only)', async () => {
  const full = openSync('/dev/full', 'w');
  for (const end of ['normal end', 'chatter']) {
    const { stderr, exitCode } = await start(end, { stdout: full });
    expect(stderr.split('\n')).toContain('The output could not be written (ENOSPC).');
    expect(exitCode).toBe(1);
  }
  expect((await start('chatter', { stderr: full })).exitCode).toBe(1);
});
