import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';
import { alive, family, freePorts, jaegerCompose, noContainers, resources, smallStep } from './small-step.ts';

const gone = { timeout: 60_000, interval: 250 };
const files = { 'compose.yaml': `${jaegerCompose(freePorts, '    volumes: [data:/data]')}\nvolumes:\n  data:` };

describe
  .skipIf(noContainers)
  .concurrent(`while containers are started (${noContainers ?? 'can be tried here'})`, () => {
    test.for([0, 200, 400, 600, 800, 1_000, 1_300, 1_600, 2_000])(
      'SIGKILL after %i ms: nothing is left',
      async (milliseconds, { expect }) => {
        await using step = await smallStep(files);
        const run = step.test({ BACKENDS: 'containers' });
        await expect.poll(() => step.kept(), { timeout: 30_000, interval: 10 }).toHaveLength(1);
        const [folder] = await step.kept();
        await sleep(milliseconds);
        const pids = await family(Number(run.pid));
        process.kill(Number(run.pid), 'SIGKILL');
        await run;

        await expect.poll(() => alive(pids), gone).toEqual([]);
        await expect.poll(() => step.kept(), gone).toEqual([]);
        expect(await resources(String(folder).toLowerCase())).toEqual([]);
      },
    );
  });
