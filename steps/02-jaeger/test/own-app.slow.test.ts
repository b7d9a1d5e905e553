import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { cleanEnv } from '@workshop/testkit/app';
import { appEnv, findSpans } from '@workshop/testkit/backends';
import { copyStep, edit, fencesIn } from '@workshop/testkit/readme';
import { describe, expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const ownLines = String(fencesIn(readme.split('**In your own app:**')[1] ?? '', 'ts')[0]);
const HINT = "the README's lines do not flush.";

describe('"In your own app": a program without the workshop keeps its last span', () => {
  test.each([
    ['when it ends, with the exit code that it has set', 'process.exitCode = 3;', 3],
    ['when nobody catches an exception', "throw new Error('a bug');", 1],
    ['when nobody catches a rejection', "Promise.reject(new Error('a bug'));", 1],
  ])('%s', async (_name, ending, exitCode) => {
    await using own = await ownProgram(ending);
    const service = `own-${crypto.randomUUID()}`;
    const program = start(own.dir, { OTEL_SERVICE_NAME: service });

    expect(await once(program, 'exit')).toEqual([exitCode, null]);
    await landed(service);
  });

  test.skipIf(process.platform === 'win32').each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('on %s, with exit code %i (Windows has no signals)', async (signal, exitCode) => {
    await using own = await ownProgram('setInterval(() => {}, 1_000);');
    const service = `own-${crypto.randomUUID()}`;
    const program = start(own.dir, { OTEL_SERVICE_NAME: service });
    await once(program.stdout, 'data');
    program.kill(signal);

    expect(await once(program, 'exit')).toEqual([exitCode, null]);
    await landed(service);
  });

  test('and waits 3 s at most for a receiver that never answers', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    await using own = await ownProgram('');
    await edit(join(own.dir, 'src/telemetry.ts'), '{ timeoutMillis: 1_500 }', '');
    const { port } = silent.address() as AddressInfo;
    const program = start(own.dir, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    await once(program.stdout, 'data');
    const worked = Date.now();

    expect(await once(program, 'exit')).toEqual([0, null]);
    expect(Date.now() - worked).toBeGreaterThan(2_500);
    expect(Date.now() - worked).toBeLessThan(5_000);
    silent.close();
  });
});

/** This step's telemetry.ts with the README's lines in place of the workshop's, and a program with one span. */
async function ownProgram(ending: string) {
  const own = await copyStep(step);
  await edit(join(own.dir, 'src/telemetry.ts'), /import .* from '@workshop.*\n/, '');
  await edit(join(own.dir, 'src/telemetry.ts'), 'onExit(() => sdk.shutdown());\n', ownLines);
  const program = [
    "import { trace } from '@opentelemetry/api';",
    "trace.getTracer('own').startSpan('my_work').end();",
    "console.log('worked');",
    ending,
  ];
  await writeFile(join(own.dir, 'src/app.ts'), program.join('\n'));
  expect(await own.read('src/telemetry.ts')).not.toContain('@workshop');
  return own;
}

function start(cwd: string, env: Record<string, string>) {
  const options = { cwd, env: { ...cleanEnv(), ...appEnv, ...env } };
  const program = spawn('node', ['--import', './src/telemetry.ts', 'src/app.ts'], options);
  program.stderr.resume();
  return program;
}

async function landed(service: string): Promise<void> {
  const spans = () => findSpans({ service });
  await expect.poll(spans, { timeout: 10_000, message: HINT }).toMatchObject([{ name: 'my_work' }]);
}
