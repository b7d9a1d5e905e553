import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { alive, family, freePorts, jaegerCompose, noContainers, resources, smallStep } from './small-step.ts';

/** After a kill, a keeper looks for what a `docker compose up` may still create. */
const gone = { timeout: 30_000, interval: 250 };

const files = {
  'compose.yaml': `${jaegerCompose(freePorts, '    volumes: [data:/data]')}\nvolumes:\n  data:`,
  // A service, which nothing but a signal ends.
  'app.js': 'setInterval(() => {}, 1_000); console.log("ready");',
  'test/small.test.ts': `
    import { existsSync } from 'node:fs';
    import { writeFile } from 'node:fs/promises';
    import { startApp } from '@workshop/testkit/app';
    import { backends } from '@workshop/testkit/backends';
    import { expect, test } from 'vitest';

    test('waits', async () => {
      await using app = startApp();
      await app.shows(/ready/);
      await writeFile('project', backends.project ?? '');
      await expect.poll(() => existsSync('go'), { timeout: 60_000 }).toBe(true);
      expect('this').toBe(process.env.EXPECTED);
    }, 60_000);`,
};

const go = (_: number, dir: string) => writeFile(join(dir, 'go'), '');
const endings = [
  { ending: 'the normal end', end: go, expected: 'this', exitCode: 0 },
  { ending: 'a failing test', end: go, expected: 'that', exitCode: 1 },
  { ending: 'Ctrl-C', end: (pid: number) => process.kill(-pid, 'SIGINT') },
  { ending: 'a closed terminal', end: (pid: number) => process.kill(-pid, 'SIGHUP') },
  { ending: 'SIGKILL', end: (pid: number) => process.kill(pid, 'SIGKILL') },
];
const lanes = [
  {
    lane: 'containers',
    reason: noContainers,
    processes: ['vitest', 'its watchdog', 'its worker', 'the keepers', 'npm', 'sh', 'the app'],
  },
  {
    lane: 'local',
    processes: ['vitest', 'its watchdog', 'its worker', 'the keepers', 'npm', 'sh', 'the app', 'the receiver'],
  },
];

describe.skipIf(process.platform === 'win32')('after a test run (Windows has no signals)', () => {
  for (const { lane, reason, processes } of lanes)
    describe.skipIf(reason).concurrent(`nothing is left in the ${lane} lane${reason ? ` (${reason})` : ''}`, () => {
      test.for(endings)('after $ending', { timeout: 60_000 }, async ({ end, expected = '', exitCode }, { expect }) => {
        await using step = await smallStep(files);
        const run = step.test({ BACKENDS: lane, EXPECTED: expected });
        await expect.poll(() => existsSync(join(step.dir, 'project')), { timeout: 30_000 }).toBe(true);
        const project = await readFile(join(step.dir, 'project'), 'utf8');
        const pids = await family(Number(run.pid));
        expect(pids.length).toBeGreaterThanOrEqual(processes.length);
        expect(await step.kept()).toHaveLength(1);
        if (project) expect(await resources(project)).toHaveLength(3);

        await end(Number(run.pid), step.dir);
        const { stdout, exitCode: ended } = await run;

        expect(ended).toBe(exitCode);
        await expect.poll(() => alive(pids), gone).toEqual([]);
        await expect.poll(() => step.kept(), gone).toEqual([]);
        if (project) expect(await resources(project)).toEqual([]);
        expect(stdout.match(/^Backends: \w+/m)?.[0]).toBe(`Backends: ${lane}`);
        if (exitCode !== undefined) expect(stdout.trim().split('\n').at(-1)).toContain(`Backends: ${lane}`);
      });
    });
});
