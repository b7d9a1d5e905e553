import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repliesIn, spansIn } from '@workshop/testkit/console';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';

const KILLS = 20;

test('begin, killed at any moment, loses nothing and leaves a whole playground', async () => {
  await using workshop = await copyWorkshop();
  const { dir, playground, run, write } = workshop;
  await run(['begin', '02']);
  const { durationMs } = await run(['begin', '02']);
  const files = await filesOf(playground);
  let killed = 0;

  for (let i = 1; i <= KILLS; i += 1) {
    const work = join('src', `work-${i}.ts`);
    await write(work, '// mine');
    const begin = run(['begin', '02']);
    await sleep(Math.random() * durationMs);
    begin.kill('SIGKILL');
    if ((await begin).isTerminated) killed += 1;

    await run(['begin', '--list']);
    const saved = (await readdir(join(dir, 'playground.saved'))).map((name) => join(dir, 'playground.saved', name));
    const found = [playground, ...saved].filter((folder) => existsSync(join(folder, work)));
    expect(found, `kill ${i}: ${work} is in playground/ or in playground.saved/`).toHaveLength(1);
    expect(await filesOf(playground), `kill ${i}: playground/ is whole`).toEqual(expect.arrayContaining(files));
    const all = await Promise.all([playground, ...saved].map((folder) => readdir(join(folder, 'src'))));
    expect(all.flat().filter((name) => name.startsWith('work-'))).toHaveLength(i);
  }
  console.log(`${killed} of ${KILLS} were killed before they had ended.`);
  expect(killed).toBeGreaterThan(0);
});

test("in the playground npm start and npm test are the attendee's: red before the work, green after it", async () => {
  await using workshop = await copyWorkshop();
  const { playground, run } = workshop;
  const npm = (...args: string[]) =>
    execa('npm', args, { cwd: playground, reject: false, env: workshop.env, all: true });
  await run(['begin', '01']);
  const { stdout } = await npm('start', '--silent', '--', 'What is a span?');
  expect(repliesIn(stdout)).toHaveLength(1);
  expect(spansIn(stdout)).toHaveLength(0);
  const before = await npm('test');
  expect(before.exitCode, before.all).toBe(1);

  await run(['begin', '01', '--solved']);
  const after = await npm('test');
  expect(after.exitCode, after.all).toBe(0);
});

test('npx workshop works in every folder of the repository', async () => {
  await using workshop = await copyWorkshop();
  const { dir, playground, run, env } = workshop;
  await run(['begin', '02']);
  for (const cwd of [dir, playground, join(dir, 'steps/03-prometheus/src'), join(dir, 'shared')]) {
    const { all, exitCode } = await execa('npx', ['workshop', 'begin', '--list'], {
      cwd,
      env,
      reject: false,
      all: true,
    });
    expect(all, cwd).toContain('Nothing is kept yet');
    expect(exitCode, cwd).toBe(0);
  }
});

/** The paths and contents of the files in a folder. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Promise.all(paths.map(async (path) => `${path}: ${await readFile(path, 'utf8')}`));
}
