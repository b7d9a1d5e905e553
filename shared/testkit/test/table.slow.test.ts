import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { canUseTerminal, startApp, startAppOnTerminal } from '@workshop/testkit/app';
import { expect, test } from 'vitest';
import { alive } from './small-step.ts';

const repository = join(import.meta.dirname, '../../..');
const program = join(repository, 'tools/tests/tests.ts');

/** What moves a terminal's cursor to another line, or hides it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is how a terminal is steered.
const REDRAWING = /\x1b\[(\d*[AF]|\?25l)/;

/** Gives a terminal a size, without which tests are not drawn as on a person's. */
const SIZE = '[ ! -t 0 ] || stty rows 40 cols 120;';

const passing = `import { test } from 'vitest';\ntest('passes', () => {});`;
const slowly = `import { test } from 'vitest';\ntest('takes its time', () => new Promise((end) => setTimeout(end, 2_000)));`;
const mixed = `
  import { expect, test } from 'vitest';
  test('passes', () => {});
  test('fails', () => expect(1).toBe(2));
  test.skip('one (local lane: there is none)', () => {});`;

/** A workspace of small packages, with the root's program and turbo.json; `npm start` is its `npm test`. */
async function smallWorkspace(script: string, packages: Record<string, Record<string, string>>) {
  const dir = await mkdtemp(join(tmpdir(), 'small-workspace-'));
  const start = `${canUseTerminal ? SIZE : ''} node "${program}" ${script}`;
  const root = { packageManager: 'npm@11.19.1', type: 'module', workspaces: ['steps/*'], scripts: { start } };
  const inPackage = { type: 'module', scripts: { test: 'vitest run', 'test:slow': 'vitest run --mode slow' } };
  const files: Record<string, string> = { 'package.json': JSON.stringify({ name: 'small-workspace', ...root }) };
  for (const [name, more] of Object.entries(packages)) {
    files[`steps/${name}/package.json`] = JSON.stringify({ name, ...inPackage });
    files[`steps/${name}/vitest.config.ts`] = `export { default } from '@workshop/testkit/vitest';`;
    for (const [path, text] of Object.entries(more)) files[`steps/${name}/${path}`] = text;
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  await cp(join(repository, 'turbo.json'), join(dir, 'turbo.json'));
  await symlink(join(repository, 'node_modules'), join(dir, 'node_modules'), 'junction');
  const temporary = join(dir, 'tmp');
  await mkdir(temporary);
  return {
    /** How to start its tests, with a temporary folder of their own. */
    options: { cwd: dir, env: { TMPDIR: temporary, TEMP: temporary } },
    /** The folders of results that are left. */
    async left() {
      return (await readdir(temporary)).filter((name) => name.startsWith('otel-workshop-'));
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }),
  };
}

function lastLine(text: string): string | undefined {
  return text.trim().split(/\r?\n/).at(-1);
}

test('npm test at the root ends in one table, why tests were skipped, and their numbers', async () => {
  await using workspace = await smallWorkspace('test', {
    good: { 'test/small.test.ts': passing },
    mixed: { 'test/small.test.ts': mixed },
    broken: { 'vitest.config.ts': 'process.exit(3);' },
  });
  await using app = startApp([], { ...workspace.options, input: '' });
  const { stdout, exitCode } = await app.ended;

  expect(exitCode, "turbo's exit code, the highest").toBe(3);
  expect(stdout).toMatch(/^Tests of broken, good, mixed\. Each is shown when it has ended\.$/m);
  expect(stdout).toMatch(/^\| broken +\| +\| +0 \| +1 \| +0 \| did not run to its end \|$/m);
  expect(stdout).toMatch(/^\| good +\| +\| +1 \| +0 \| +0 \| ok +\|$/m);
  expect(stdout).toMatch(/^\| mixed +\| +\| +1 \| +1 \| +1 \| failed +\|$/m);
  expect(stdout).toMatch(/^mixed: 1 skipped \(local lane: there is none\)$/m);
  expect(lastLine(stdout)).toBe('2 passed, 2 failed, 1 skipped');
  expect(stdout, 'colours in a pipe').not.toContain('\x1b');
  expect(stdout).not.toContain('telemetry');
  expect(await workspace.left()).toEqual([]);
});

test('arguments go on to turbo, and the exit code is 0 when nothing has failed', async () => {
  await using workspace = await smallWorkspace('test', {
    good: { 'test/small.test.ts': passing },
    mixed: { 'test/small.test.ts': mixed },
  });
  await using app = startApp(['--filter=good'], { ...workspace.options, input: '' });
  const { stdout, exitCode } = await app.ended;

  expect(stdout).not.toContain('mixed');
  expect(lastLine(stdout)).toBe('1 passed, 0 failed, 0 skipped');
  expect(exitCode).toBe(0);
});

test('a filter that fits no package: turbo says so, and there is no table', async () => {
  await using workspace = await smallWorkspace('test', { good: { 'test/small.test.ts': passing } });
  await using app = startApp(['--filter=none'], { ...workspace.options, input: '' });
  const { stdout, stderr, exitCode } = await app.ended;

  expect(stderr).toContain("No package found with name 'none'");
  expect(stdout).not.toContain('passed');
  expect(stderr).not.toMatch(/^ +at /m);
  expect(exitCode).toBe(1);
});

test.skipIf(!canUseTerminal).for([
  { script: 'test', file: 'test/small.test.ts' },
  { script: 'test:slow', file: 'test/small.slow.test.ts' },
])('$script on a terminal is not redrawn (on Linux, whose script command makes one)', async ({ script, file }) => {
  await using workspace = await smallWorkspace(script, { first: { [file]: slowly }, second: { [file]: slowly } });
  await using app = startAppOnTerminal([], workspace.options);
  const { stdout, exitCode } = await app.ended;

  expect(stdout).toContain('2 passed, 0 failed, 0 skipped');
  expect(stdout.match(/takes its time/g), 'each test is shown once').toHaveLength(2);
  expect(stdout).not.toMatch(REDRAWING);
  expect(exitCode).toBe(0);
});

test.skipIf(!canUseTerminal)('Ctrl-C ends all (on Linux, whose script command makes a terminal)', async () => {
  const hanging = `
    import { test } from 'vitest';
    test('waits', () => new Promise(() => setInterval(() => console.log('waiting ' + process.pid + ' ' + process.ppid), 100)));`;
  await using workspace = await smallWorkspace('test:slow', { hanging: { 'test/small.slow.test.ts': hanging } });
  await using app = startAppOnTerminal([], workspace.options);
  await app.shows(/waiting \d+ \d+/);
  const [, worker, vitest] = /waiting (\d+) (\d+)/.exec(app.stdout) ?? [];
  app.type('\x03');
  const { stdout } = await app.ended;

  expect(stdout).toMatch(/^\| hanging +\| +\| +0 \| +1 \| +0 \| did not run to its end \|\r$/m);
  expect(stdout).toContain('0 passed, 1 failed, 0 skipped');
  expect(stdout, 'a stack').not.toMatch(/^ +at /m);
  await expect.poll(() => alive([Number(worker), Number(vitest)])).toEqual([]);
  expect(await workspace.left()).toEqual([]);
});
