import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { applyPatches, edit, fencesIn } from '@workshop/testkit/readme';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';

const workshop = await copyWorkshop();
const { playground, run, read } = workshop;
afterAll(workshop[Symbol.asyncDispose]);

beforeEach(() => run(['begin', '01']));

test('check of untouched work says what is missing, without colours, and keeps it for the status', async () => {
  const { stdout, exitCode } = await run(['check']);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/FAIL {2}.*\n.*Look at: src\//s);
  expect(stdout).not.toContain('\x1b');

  const { last } = JSON.parse(await read('.workshop.json'));
  const status = await run([], { env: { BACKENDS: 'local' } });
  expect(status.stdout).toContain(`Check:     ${last.passed} of ${last.total}. FAIL: ${last.failure.test}`);
  expect(status.stdout).toContain(`Look at: ${last.failure.cause.at}`);
  expect(status.stdout).toContain('Backends:  this step needs none');
  expect(status.stdout).toMatch(/Next:\n.*README\.md.*check --watch.*hint.*begin 02/s);
});

test('check of the solution ends with 0, and the status names the next step', async () => {
  await run(['begin', '01', '--solved']);
  const { stdout, exitCode } = await run(['check']);
  expect(exitCode, stdout).toBe(0);
  expect(stdout).toContain('Next: npx workshop begin 02');
  const status = await run([], { env: { BACKENDS: 'local' } });
  expect(status.stdout).toMatch(/Check: +(\d+) of \1\n\nNext:\n {2}npx workshop begin 02/);
});

test('check --json prints JSON alone', async () => {
  const { stdout, exitCode } = await run(['check', '--json']);
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    total: expect.any(Number),
    failure: { cause: { at: expect.stringMatching(/^src\//) } },
  });
});

test('hint gives one more each time, and at the end the place of the solution', async () => {
  const [first, second] = [await run(['hint']), await run(['hint'])];
  expect(first.stdout).toMatch(/^Hint 1 of 2, for src\/telemetry\.ts:\n\n.*new NodeSDK/);
  expect(second.stdout).toMatch(/^Hint 2 of 2, for src\/telemetry\.ts:\n\n.*defaultResource/);
  const [third, fourth] = [await run(['hint']), await run(['hint'])];
  const line = Number(/The solution is in README\.md, line (\d+)\.$/.exec(third.stdout)?.[1]);
  expect((await read('README.md')).split('\n')[line - 1]).toContain('<summary>Solution</summary>');
  expect(fourth.stdout).toBe(third.stdout);
});

test('hint knows a task that is done in other lines and names, and follows the check', async () => {
  const [sdk = '', span = ''] = fencesIn(await read('README.md'), 'diff');
  await applyPatches(playground, [sdk, span]);
  const llm = join(playground, 'src/llm.ts');
  await edit(llm, 'const { traceId } = span.spanContext();', 'const id = span.spanContext().traceId;');
  await edit(llm, 'return { ...answer, traceId };', 'return { ...answer, traceId: id };');
  await run(['check']);
  expect((await run(['hint'])).stdout).toMatch(/^Hint 1 of 1, for src\/llm\.ts:\n\nThe constants are/);

  await edit(join(playground, 'src/telemetry.ts'), 'sdk.start();', '');
  await run(['check']);
  expect((await run(['hint'])).stdout).toMatch(/^Hint 1 of 2, for src\/telemetry\.ts:/);
});

test('hint has nothing to add to work that passes', async () => {
  await run(['begin', '01', '--solved']);
  await edit(join(playground, 'src/llm.ts'), 'ATTR_SERVER_PORT]', "'server.port']");
  await run(['check']);
  expect((await run(['hint'])).stdout).toContain('Your work has all that the README asks for.');
});

test.each([
  [['check'], 1],
  [['check', '--watch'], 1],
  [['hint'], 1],
])('%j without a playground says how to make one', async (args, code) => {
  await rm(playground, { recursive: true });
  const { stderr, exitCode } = await run(args);
  expect(stderr).toBe('There is no playground/ yet. Make it: npx workshop begin 01');
  expect(exitCode).toBe(code);
});

test('check --watch --json is wrong usage', async () => {
  const { stderr, exitCode } = await run(['check', '--watch', '--json']);
  expect(stderr).toContain('choose --watch or --json');
  expect(exitCode).toBe(2);
});
