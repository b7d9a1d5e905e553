import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, freePortPair } from '@workshop/backends/ports';
import { repliesIn, spansIn } from '@workshop/testkit/console';
import { execa } from 'execa';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { copyWorkshop } from './copy.ts';

const workshop = await copyWorkshop();
const { dir, playground, env, run } = workshop;
afterAll(workshop[Symbol.asyncDispose]);

const COMMANDS = ['begin', 'check', 'hint', 'diff', 'start', 'ask', 'up', 'down', 'pull', 'doctor'];
const QUESTION = 'What is a span?';

describe('help', () => {
  test('names every command', async () => {
    const { stdout, exitCode } = await run(['--help']);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    expect(exitCode).toBe(0);
  });

  test.each(COMMANDS)('of %s has examples', async (command) => {
    const { stdout, exitCode } = await run([command, '--help']);
    expect(stdout).toMatch(new RegExp(`Examples:\n {2}npx workshop ${command}`));
    expect(exitCode).toBe(0);
  });

  test.each([
    [['begn'], "there is no command 'begn'"],
    [['diff', '12'], 'there is no step 12'],
    [['up', '02', '03'], 'too many arguments'],
    [['pull', '--save', 'a', '--load', 'b'], '--save or --load, not both'],
    [['start', '--fault'], "unknown option '--fault'"],
    [['start', '--set', 'PATH=here'], '--set cannot set PATH.'],
  ])('%j is wrong usage', async (args, message) => {
    const { stderr, exitCode } = await run(args);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

describe('without a command', () => {
  const status = () => run([], { env: { BACKENDS: 'local' } });

  test('it says where you are and what comes next', async () => {
    expect((await status()).stdout).toMatch(/^Step: +none yet\n.*Next:\n {2}npx workshop begin 01/s);
    await run(['begin', '02']);
    const { stdout, exitCode } = await status();
    expect(stdout).toMatch(/^Step: +02-jaeger.*\nLane: +local \(BACKENDS=local\)\n/);
    expect(stdout).toMatch(/Next:\n.*README\.md.*\n.*check --watch.*\n {2}npx workshop begin 03/);
    expect(stdout).not.toContain('\x1b');
    expect(exitCode).toBe(0);
  });
});

describe('diff', () => {
  test('NN shows what a step adds: source, configuration, dependencies', async () => {
    const { stdout, exitCode } = await run(['diff', '02']);
    expect(stdout).toContain('+import { OTLPTraceExporter }');
    expect(stdout).toContain('+++ 02-jaeger/compose.yaml');
    expect(stdout).toContain('+    "@opentelemetry/exporter-trace-otlp-http"');
    expect(stdout).not.toMatch(/README|vitest|test\//);
    expect(stdout).not.toContain('\x1b');
    expect(exitCode).toBe(0);
  });

  test('01 shows what the step adds to the program without telemetry', async () => {
    const { stdout } = await run(['diff', '01']);
    expect(stdout).toContain('+const sdk = new NodeSDK({');
    expect(stdout).toContain('-  return llm.ask(question, { signal });');
  });

  test('05 shows no file with faults that an attendee mends', async () => {
    const { stdout } = await run(['diff', '05']);
    expect(stdout).toContain('+++ 05-collector-grafana/collector.yaml');
    expect(stdout).not.toContain('collector.broken.yaml');
  });

  test('without a step it shows what your work lacks', async () => {
    await run(['begin', '02']);
    expect((await run(['diff'])).stdout).toContain('+import { OTLPTraceExporter }');
    await run(['begin', '02', '--solved']);
    expect((await run(['diff'])).stdout).toBe('Nothing is missing: your work is the same as the solution.');
  });

  test('says that there is nothing to compare yet', async () => {
    await rm(playground, { recursive: true });
    const { stderr, exitCode } = await run(['diff']);
    expect(stderr).toBe('There is no playground/ yet. Make it: npx workshop begin 01');
    expect(exitCode).toBe(1);
  });

  test.skipIf(process.platform === 'win32')('without git it says what it needs (Windows: no links)', async () => {
    const bin = await mkdtemp(join(tmpdir(), 'workshop-'));
    await symlink(process.execPath, join(bin, 'node'));
    const command = join(dir, 'node_modules/.bin/workshop');
    const { stderr, exitCode } = await execa(command, ['diff', '02'], { cwd: dir, env: { PATH: bin }, reject: false });
    await rm(bin, { recursive: true });
    expect(stderr).toBe('diff needs git. Install it from https://git-scm.com, then try again.');
    expect(exitCode).toBe(1);
  });
});

describe('start', () => {
  test.each([
    ['workshop', ['start', QUESTION]],
    ['npm', ['start', '--silent', '--', QUESTION]],
  ])('%s %j asks step 01', async (command, args) => {
    const { stdout, exitCode } = await execa(command, args, { cwd: dir, env, input: '' });
    expect(repliesIn(stdout)).toHaveLength(1);
    expect(spansIn(stdout)).toHaveLength(1);
    expect(exitCode).toBe(0);
  });

  test('NN asks that step, with its settings', async () => {
    const nobody = `http://localhost:${await freePort()}`;
    const settings = ['--set', 'LLM_FAULT=malformed', '--set', `OTEL_EXPORTER_OTLP_ENDPOINT=${nobody}`];
    const { stderr, exitCode } = await run(['start', '2', ...settings, QUESTION]);
    expect(stderr).toContain('No reply (malformed_response)');
    expect(stderr).toContain(`Telemetry was not sent to ${nobody}/v1/traces`);
    expect(exitCode).toBe(1);
  });

  test('without a question piped lines are questions', async () => {
    const { stdout } = await run(['start'], { input: `${QUESTION}\nWhat is a trace?\n` });
    expect(repliesIn(stdout)).toHaveLength(2);
  });
});

describe('ask', () => {
  test('asks the frontend that runs, and prints the reply and its trace', async () => {
    const [frontend, backend] = [await freePort(), await freePort()];
    const settings = {
      FRONTEND_PORT: frontend,
      BACKEND_PORT: backend,
      BACKEND_URL: `http://localhost:${backend}`,
      OTEL_EXPORTER_PROMETHEUS_PORT: await freePortPair(),
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${await freePort()}`,
    };
    const set = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    const services = execa('workshop', ['start', '04', ...set], {
      cwd: dir,
      env,
      reject: false,
      killDescendants: true,
    });
    let stdout = '';
    services.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    try {
      await vi.waitFor(() => expect(stdout.match(/listening on/g)).toHaveLength(2), { timeout: 20_000 });
      const asked = await run(['ask', '--set', `FRONTEND_PORT=${frontend}`, 'What is a trace?']);
      expect(asked.stdout).toMatch(/"text": "A trace is .*\nTrace: [0-9a-f]{32}/s);
      expect(asked.exitCode).toBe(0);

      const wrong = await run(['ask', '--set', `FRONTEND_PORT=${frontend}`, 'x'.repeat(5_000)]);
      expect(wrong.stderr).toBe('No reply (bad_request): question is longer than 4000 characters');
      expect(wrong.exitCode).toBe(1);
    } finally {
      services.kill('SIGKILL');
      await services;
    }
  });

  test('without a frontend it says how to start one', async () => {
    const port = await freePort();
    const { stderr, exitCode } = await run(['ask', '--set', `FRONTEND_PORT=${port}`, QUESTION]);
    expect(stderr).toContain(`No frontend answers at http://localhost:${port}/ask. Start it`);
    expect(exitCode).toBe(1);
  });
});

test('ask says when another program answers', async () => {
  await using other = createServer((_request, response) => response.end('a page')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { stderr, exitCode } = await run(['ask', '--set', `FRONTEND_PORT=${port}`, QUESTION]);
  expect(stderr).toContain(`What answers at http://localhost:${port} is no frontend of the workshop.`);
  expect(exitCode).toBe(1);
});

test('down without Docker says why nothing was taken down', async () => {
  const { stdout, stderr, exitCode } = await run(['down'], { env: { DOCKER_HOST: 'tcp://127.0.0.1:1' } });
  expect(stdout, stderr).toMatch(/^Nothing was taken down: .*Docker/);
  expect(exitCode).toBe(0);
});

describe('up', () => {
  test('in the local lane it starts the receiver, and Ctrl-C ends it', async () => {
    const receiver = execa('workshop', ['up', '02'], { cwd: dir, env: { ...env, BACKENDS: 'local' }, reject: false });
    let stdout = '';
    receiver.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    await vi.waitFor(() => expect(stdout).toContain('Ctrl-C ends it.'), { timeout: 15_000 });
    const url = String(/Traces, metrics and logs: (\S+)/.exec(stdout)?.[1]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    receiver.kill('SIGINT');
    await receiver;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  test('of a step without backends says so', async () => {
    const { stdout, exitCode } = await run(['up', '01']);
    expect(stdout).toBe('Step 01 needs no backends.');
    expect(exitCode).toBe(0);
  });
});
