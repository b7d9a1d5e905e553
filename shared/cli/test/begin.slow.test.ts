import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** The paths and contents of the files in a folder. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Promise.all(paths.map(async (path) => `${path}: ${await readFile(path, 'utf8')}`));
}
