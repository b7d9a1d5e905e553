import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { settingNames } from '@workshop/llm/settings';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { settable } from '../src/settings.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const envFile = join(import.meta.dirname, 'settings.env');

async function start(args: string[], env: Record<string, string> = {}) {
  const program = ['--import', '@workshop/runtime/env', join(import.meta.dirname, 'show-settings.ts')];
  return execa(process.execPath, [...program, ...args], {
    env: { WORKSHOP_ENV_FILE: '', ...env },
    cwd: import.meta.dirname,
    reject: false,
  });
}

test.each([
  ['--set NAME=VALUE', ['--set', 'LLM_FAULT=slow', 'What is a span?']],
  ['--set=NAME=VALUE', ['--set=LLM_FAULT=slow', 'What is a span?']],
  ['after the question', ['What is a span?', '--set', 'LLM_FAULT=slow']],
])('%s sets, and the program does not see it', async (_form, args) => {
  const { stdout } = await start(args);
  expect(JSON.parse(stdout)).toEqual({ env: { LLM_FAULT: 'slow' }, words: ['What is a span?'] });
});

test('several settings; a value may hold what it likes', async () => {
  const { stdout } = await start(['--set', 'LLM_MODEL=a b', '--set', 'BACKEND_URL=http://localhost:1/?a=b']);
  expect(JSON.parse(stdout).env).toEqual({ LLM_MODEL: 'a b', BACKEND_URL: 'http://localhost:1/?a=b' });
});

test('--set wins over the environment, which wins over .env', async () => {
  const env = { WORKSHOP_ENV_FILE: envFile, LLM_FAULT: 'environment', LLM_MODEL: 'environment' };
  const { stdout } = await start(['--set', 'LLM_FAULT=set'], env);
  expect(JSON.parse(stdout).env).toEqual({ LLM_FAULT: 'set', LLM_MODEL: 'environment', BACKEND_URL: 'file' });
});

test.each([
  [['--set', 'LLM_FALT=slow'], '--set cannot set LLM_FALT.'],
  [['--set', 'PATH=hunter2'], '--set cannot set PATH.'],
  [['--set', 'LLM_API_KEY=hunter2'], '--set cannot set LLM_API_KEY.'],
  [['--set', 'LLM_FAULT'], '--set needs a name and a value'],
  [['--set', 'LLM_FAULT='], '--set needs a name and a value'],
  [['--set', '=slow'], '--set needs a name and a value'],
  [['--set='], '--set needs a name and a value'],
  [['What is a span?', '--set'], '--set needs a name and a value'],
])('%j is wrong usage: the list of what can be set, where the key belongs, exit code 2', async (args, message) => {
  const { stdout, stderr, exitCode } = await start(args);
  expect(exitCode).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
  for (const name of settable) expect(stderr).toContain(`\n  ${name}\n`);
  expect(stderr).toContain('LLM_API_KEY cannot: other programs can read a command line. Write it into .env.');
  expect(stderr).not.toContain('hunter2');
});

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT must be an address like http://localhost:4318';
const HEADERS = 'OTEL_EXPORTER_OTLP_HEADERS must be names and values like api-key=abc,tenant=me';

test.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' }, ENDPOINT],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'me:hunter2@localhost:4318' }, ENDPOINT],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://localhost:4317?key=hunter2' }, ENDPOINT],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://me:hunter2@' }, ENDPOINT],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318 ' }, ENDPOINT],
  [
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'hunter2', OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: '/v1/logs' },
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be an address like http://localhost:4318/v1/traces; ' +
      'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT must be an address like http://localhost:4318/v1/logs',
  ],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'api key: hunter2=x' }, HEADERS],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'api-key: hunter2' }, HEADERS],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=b,api-key=hunter2%0A' }, HEADERS],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'api-key=hunter2€' }, HEADERS],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'api-key=%hunter2' }, HEADERS],
  [{ BACKEND_URL: 'http://me:hunter2@localhost:8081' }, 'BACKEND_URL must hold no user name and no password'],
])('%j: the program ends at the start, and says what is right', async (env, message) => {
  const { stdout, stderr, exitCode } = await start([], env);
  expect(stderr).toBe(`Settings (environment or .env): ${message}.`);
  expect(stdout).toBe('');
  expect(exitCode).toBe(1);
});

test('addresses and headers as OpenTelemetry takes them are let through', async () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://me:hunter2@example.com/otlp/',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://[::1]:4318/v1/traces',
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: ' ',
    OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Basic%20aHVudGVyMg==, tenant = me,empty=,',
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: '',
  };
  expect(await start([], env)).toMatchObject({ stderr: '', exitCode: 0 });
});

test('all of the model can be set but the key, and all that .env.example and the READMEs set', async () => {
  expect(settable).toEqual(expect.arrayContaining(settingNames.filter((name) => name !== 'LLM_API_KEY')));
  expect(settable).not.toContain('LLM_API_KEY');

  const example = await readFile(join(root, '.env.example'), 'utf8');
  const inExample = [...example.matchAll(/^#?(\w+)=/gm)].map(([, name]) => name);
  expect(inExample.length).toBeGreaterThan(5);
  const steps = ['01-console', '02-jaeger', '03-prometheus', '04-propagation', '05-collector-grafana'];
  const files = [root, ...steps.map((step) => join(root, 'steps', step))].map((dir) => join(dir, 'README.md'));
  const readmes = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
  const inReadmes = [...readmes.matchAll(/--set[ =]([A-Z_]+)=/g)].map(([, name]) => name);
  expect(inReadmes.length).toBeGreaterThan(5);
  expect([...settable, 'LLM_API_KEY']).toEqual(expect.arrayContaining([...inExample, ...inReadmes]));
});
