import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';

const runner = join(import.meta.dirname, '..', 'src', 'services.ts');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'workshop-services-'));
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, 'src', 'telemetry.ts'), '');
  const service = 'console.log(process.env.OTEL_SERVICE_NAME, process.env.LLM_FAULT, process.argv.length);';
  await writeFile(join(folder, 'src', 'one.ts'), service);
  await writeFile(join(folder, 'src', 'two.ts'), service);
  await writeFile(join(folder, 'src', 'fails.ts'), 'process.exitCode = 3;');
  await writeFile(join(folder, 'src', 'dies.ts'), "process.kill(process.pid, 'SIGKILL');");
  await writeFile(join(folder, 'src', 'stays.ts'), "process.on('disconnect', () => {}); console.log('ready');");
  await writeFile(
    join(folder, 'src', 'talks.ts'),
    "process.on('disconnect', () => process.exit()); setInterval(() => console.log('talk'), 10);",
  );
});
afterAll(() => rm(folder, { recursive: true }));

const start = (args: string[], options = {}) =>
  execa(process.execPath, [runner, ...args], {
    cwd: folder,
    reject: false,
    env: { WORKSHOP_ENV_FILE: '' },
    ...options,
  });

test('a setting of the command line reaches every service, as a setting only', async () => {
  const { stdout } = await start(['one', 'two', '--set', 'LLM_FAULT=slow']);
  expect(stdout.split('\n').sort()).toEqual(['one | one slow 2', 'two | two slow 2']);
});

test.each([
  ['fails', 'exit code 3', 3],
  ['dies', process.platform === 'win32' ? 'exit code 1' : 'SIGKILL', 1],
])('a service that %s: says which, how, and ends the other', async (name, how, code) => {
  const { stderr, exitCode } = await start([name, 'stays']);
  expect(stderr).toBe(`The service ${name} has ended (${how}). Now the other one is ended too.`);
  expect(exitCode).toBe(code);
});

test.skipIf(process.platform === 'win32')('told to end, it says nothing of that (Windows has no signals)', async () => {
  const runner = start(['stays']);
  runner.stdout.once('data', () => runner.kill('SIGTERM'));
  expect((await runner).stderr).toBe('');
});

test('whoever read its output has gone, as `head` does: it ends, and says nothing of that', async () => {
  const runner = start(['talks']);
  runner.stdout.once('data', () => runner.stdout.destroy());
  const { stderr, exitCode } = await runner;
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
});

test.skipIf(!existsSync('/dev/full'))('output that cannot be written is an error (Linux only)', async () => {
  const full = openSync('/dev/full', 'w');
  const { stderr, exitCode } = await start(['talks', 'one'], { stdout: full });
  closeSync(full);
  expect(stderr).toBe('The output could not be written (ENOSPC).');
  expect(exitCode).toBe(1);
});

test('--help', async () => {
  const { stdout, exitCode } = await start(['one', 'two', '--help']);
  expect(stdout).toContain('Usage: npm start -- [--set NAME=VALUE]');
  expect(stdout).toContain('LLM_FAULT');
  expect(exitCode).toBe(0);
});

test.each([
  [['one', 'What is a span?'], "There is no service 'What is a span?' in this folder."],
  [['one', '--fault'], "Unknown option '--fault'"],
  [['one', '--set', 'PATH=here'], '--set cannot set PATH.'],
])('%j is wrong usage, and starts nothing', async (args, message) => {
  const { stdout, stderr, exitCode } = await start(args);
  expect(stderr).toContain(message);
  expect(stdout).toBe('');
  expect(exitCode).toBe(2);
});
