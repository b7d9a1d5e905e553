import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runApp } from '@workshop/testkit/app';
import { repliesIn, spansIn } from '@workshop/testkit/console';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { copyStep, edit } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const ERROR = 2;

test.each([
  ['rate-limit', 'rate_limited', 'Wait a minute'],
  ['server-error', 'unavailable', 'Ask again'],
  ['timeout', 'timeout', 'LLM_TIMEOUT_MS'],
  ['malformed', 'malformed_response', 'LLM_MODEL'],
  ['truncated', 'malformed_response', 'cut off'],
])('LLM_FAULT=%s: the span is an error of type %s, and a message says what to do', async (fault, type, advice) => {
  const env = { LLM_FAULT: fault, LLM_TIMEOUT_MS: '4000' };
  const { stdout, stderr, exitCode } = await runApp(['What is a trace?'], { env });

  const [span] = spansIn(stdout);
  expect(span?.status).toEqual({ code: ERROR, message: expect.stringContaining(advice) });
  expect(span?.attributes['error.type']).toBe(type);
  expect(span?.attributes).not.toHaveProperty('llm.api.response_length');
  expect(span?.events).toMatchObject([
    {
      name: 'exception',
      attributes: { 'exception.type': 'LlmError', 'exception.message': span?.status.message },
    },
  ]);
  expect(stderr).toContain(`No reply (${type}): ${span?.status.message}`);
  expect(stdout).toContain(`Trace: ${span?.traceId}`);
  expect(exitCode).toBe(1);
});

test.each([
  ["new TypeError('a bug')", 'TypeError', 'a bug'],
  ["'a text'", 'Error', 'a text'],
])('a bug in the code after the call, throw %s: the span is an error of type %s', async (thrown, type, message) => {
  await using buggy = await copyStep(step);
  await edit(join(buggy.dir, 'src/llm.ts'), /(?<=const answer = .*\n)/, `      throw ${thrown};\n`);
  const { stdout, stderr, exitCode } = await runApp(['What is a trace?'], { cwd: buggy.dir });

  expect(spansIn(stdout), 'whatever is thrown must be recorded, not only an LlmError').toMatchObject([
    {
      status: { code: ERROR, message },
      attributes: { 'error.type': type },
      events: [{ name: 'exception', attributes: { 'exception.type': type, 'exception.message': message } }],
    },
  ]);
  expect(repliesIn(stdout)).toEqual([]);
  expect(stderr).toContain(`${type}: ${message}`);
  expect(exitCode).toBe(1);
});

test('LLM_FAULT=slow: the answer comes, and the span shows the 5 seconds', async () => {
  const { stdout, stderr } = await runApp(['What is a trace?'], { env: { LLM_FAULT: 'slow' } });

  const [span] = spansIn(stdout);
  expect(repliesIn(stdout)).toHaveLength(1);
  expect(Number(span?.duration) / 1e6).toBeGreaterThanOrEqual(5);
  expect(stderr).toContain('Waiting for the model');
});

test('after a failure the loop goes on', async () => {
  let calls = 0;
  await using provider = await startProvider((_request, response) => {
    calls += 1;
    if (calls === 1) send(response, 400, { error: { message: 'no' } });
    else send(response, 200, completion('{"query":"q","joke":"j","text":"t","question":"?"}'));
  });
  const { stdout, exitCode } = await runApp([], { input: 'one\ntwo\n', env: provider.env });

  expect(spansIn(stdout).map(({ status }) => status.code)).toEqual([ERROR, 0]);
  expect(repliesIn(stdout)).toHaveLength(1);
  expect(exitCode).toBe(1);
});

test('a wrong setting is refused in one line that does not repeat it', async () => {
  const env = { LLM_BASE_URL: 'https://me:hunter2@example.com/v1?key=hunter2' };
  const { stdout, stderr, exitCode } = await runApp(['hello'], { env });

  expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/LLM_BASE_URL must hold no user name.*LLM_MODEL/)]);
  expect(`${stdout}${stderr}`).not.toContain('hunter2');
  expect(exitCode).toBe(1);
});

test('settings are read from .env, and the environment wins', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'workshop '));
  const file = join(folder, '.env');
  await writeFile(file, 'LLM_FAULT=malformed\nOTEL_SERVICE_NAME=from-the-file\n');
  const { stdout } = await runApp(['hello'], { env: { WORKSHOP_ENV_FILE: file, OTEL_SERVICE_NAME: 'from-outside' } });
  await rm(folder, { recursive: true });

  const [span] = spansIn(stdout);
  expect(span?.attributes['error.type']).toBe('malformed_response');
  expect(span?.resource.attributes['service.name']).toBe('from-outside');
});
