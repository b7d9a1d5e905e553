import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';

const workshop = await copyWorkshop();
const { dir, playground, run, read, write } = workshop;
afterAll(workshop[Symbol.asyncDispose]);

/** No process has this id: it made a playground and was killed. */
const gone = 99_999_999;
const NOBODY = 65_534;
const saved = () => readdir(join(dir, 'playground.saved')).catch(() => []);
const stepFile = (path: string) => readFile(join(dir, 'steps', path), 'utf8');

test('begin lays down the step, with src/ of the step before, and says what to do next', async () => {
  const { stdout, exitCode } = await run(['begin', '02']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('playground/ is at the start of step 02.');
  expect(stdout).toMatch(/Next:\n {2}cd playground\n {2}open README.md.*\n {2}npx workshop check --watch /);
  expect(stdout).not.toContain('\x1b');

  expect(await readdir(join(playground, 'src'))).toEqual(['app.ts', 'llm.ts', 'telemetry.ts']);
  expect(await read('src/telemetry.ts')).toBe(await stepFile('01-console/src/telemetry.ts'));
  expect(await read('compose.yaml')).toBe(await stepFile('02-jaeger/compose.yaml'));
  expect(await read('test/trace.test.ts')).toBe(await stepFile('02-jaeger/test/trace.test.ts'));
  expect(existsSync(join(playground, 'test/readme.slow.test.ts'))).toBe(false);
});

test('step 01 begins with the program that only calls the model, and an empty telemetry.ts', async () => {
  await run(['begin', '1']);
  expect(await read('src/telemetry.ts')).toBe('');
  expect(await read('src/llm.ts')).toBe(await stepFile('01-console/start/llm.ts'));
  expect(existsSync(join(playground, 'start'))).toBe(false);
});

test('step 04 begins with the services, and without the prompt', async () => {
  await run(['begin', '04-propagation']);
  expect(await readdir(join(playground, 'src'))).toEqual(['backend.ts', 'frontend.ts', 'llm.ts', 'telemetry.ts']);
  expect(await read('src/llm.ts')).toBe(await stepFile('03-prometheus/src/llm.ts'));
});

test('begin --solved lays down the solution', async () => {
  const { stdout } = await run(['begin', '03', '--solved']);
  expect(stdout).toContain('holds the solution of step 03');
  expect(await read('src/telemetry.ts')).toBe(await stepFile('03-prometheus/src/telemetry.ts'));
});

test('what an attendee wrote is kept, listed, and brought back', async () => {
  await run(['begin', '02']);
  await write('src/mine.ts', '// mine');
  await run(['begin', '03']);
  await run(['begin', '04']);
  const [latest, mine] = (await run(['begin', '--list'])).stdout.split('\n').map((line) => line.split(/ +/));
  expect(latest?.slice(1)).toEqual(['step', '03']);
  expect(mine?.slice(1)).toEqual(['step', '02']);

  const { exitCode } = await run(['begin', '--restore', String(mine?.[0])]);
  expect(exitCode).toBe(0);
  expect(await read('src/mine.ts')).toBe('// mine');
  // Back and forth: what was there is the latest now.
  await run(['begin', '--restore']);
  expect(await readdir(join(playground, 'src'))).toContain('frontend.ts');
  await run(['begin', '--restore']);
  expect(await read('src/mine.ts')).toBe('// mine');
});

test('.env is never copied', async () => {
  await writeFile(join(dir, 'steps/02-jaeger/.env'), 'LLM_API_KEY=secret');
  await run(['begin', '02']);
  expect(await readdir(playground)).not.toContain('.env');
});

test('begin within playground/ tells the terminal how to get into the new one', async () => {
  await run(['begin', '02']);
  const { stdout, exitCode } = await run(['begin', '03'], { cwd: join(playground, 'src') });
  expect(exitCode).toBe(0);
  expect(stdout).toContain(`cd "${playground}"`);
  expect(await saved()).not.toEqual([]);
});

test('a begin that was killed just before the end is finished by the next command, one killed earlier is removed', async () => {
  await run(['begin', '02', '--solved']);
  await rename(playground, join(dir, `.playground-${gone}`));
  await run(['begin', '--list']);
  expect(await read('src/telemetry.ts')).toBe(await stepFile('02-jaeger/src/telemetry.ts'));

  await mkdir(join(dir, `.playground-${gone}`));
  await run(['begin', '03']);
  expect(await readdir(dir)).not.toContain(`.playground-${gone}`);
});

test.each([
  [['begin'], 2, 'which step? For example: npx workshop begin 01'],
  [['begin', '09'], 2, 'there is no step 09. There are 01, 02, 03, 04, 05.'],
  [['begin', '02', '--resolve'], 2, "unknown option '--resolve'"],
  [['begin', '--restore', 'yesterday'], 1, 'There is no playground.saved/yesterday. npx workshop begin --list'],
])('%j ends with %i and says what to do', async (args, code, message) => {
  const { stderr, exitCode } = await run(args);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
  expect(exitCode).toBe(code);
});

test.skipIf(process.platform === 'win32')(
  'a folder that cannot be written says so (Windows: other rights)',
  async () => {
    await chmod(dir, 0o555);
    // Root may write everywhere.
    const { stderr, exitCode } = await run(['begin', '02'], process.getuid?.() === 0 ? { uid: NOBODY } : {});
    await chmod(dir, 0o755);
    expect(stderr).toContain(`Nothing can be written or moved in ${dir} (EACCES). Is it read-only`);
    expect(exitCode).toBe(1);
  },
);

test('begin takes a second at most', async () => {
  const { durationMs } = await run(['begin', '05']);
  // A busy machine may take longer than the second that people wait at most.
  expect(durationMs).toBeLessThan(5_000);
  console.log(`begin took ${durationMs.toFixed()} ms`);
});
