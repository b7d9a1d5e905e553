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
});
afterAll(() => rm(folder, { recursive: true }));

const start = (args: string[]) =>
  execa(process.execPath, [runner, ...args], { cwd: folder, reject: false, env: { WORKSHOP_ENV_FILE: '' } });

test('a setting of the command line reaches every service, as a setting only', async () => {
  const { stdout } = await start(['one', 'two', '--set', 'LLM_FAULT=slow']);
  expect(stdout.split('\n').sort()).toEqual(['one | one slow 2', 'two | two slow 2']);
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
