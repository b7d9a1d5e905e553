import { join } from 'node:path';
import { cleanEnv } from '@workshop/testkit/app';
import { execa } from 'execa';
import { type Figure, figure, progress } from './figures.ts';
import type { Pairs } from './pairs.ts';
import { startReceiver } from './receiver.ts';
import type { Run } from './results.ts';
import { stepsWith } from './steps.ts';

const LATENCY_MS = 20;
const BAR_MS = 0.2;
const TIMEOUT_MS = 120_000;

/** What a step's call costs over the bare call in the same process, telemetry sent to a receiver that takes it. */
export async function benchCall({ quick }: Run): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, dir } of stepsWith('src/app.ts')) {
    progress(`call: ${name}`);
    const receiver = await startReceiver(dir);
    try {
      const { bare, instrumented } = await runPairs(dir, receiver.env, quick ? 50 : 200);
      const baseline = { id: 'bare', values: bare };
      // What slows the machine for a while slows both calls of a pair.
      const differences = instrumented.map((ms, i) => ms - (bare[i] ?? Number.NaN));
      figures.push(
        figure(`${name}, to ${receiver.name}`, 'ms', instrumented, { baseline }),
        // Step 01 writes to the console inside of span.end(): shown, not judged.
        figure(`${name}, over the bare call`, 'ms', differences, receiver.name === 'stdout' ? {} : { bar: BAR_MS }),
      );
    } finally {
      await receiver.stop();
    }
  }
  return figures;
}

async function runPairs(cwd: string, env: Record<string, string>, pairs: number): Promise<Pairs> {
  const args = ['--import', './src/telemetry.ts', join(import.meta.dirname, 'pairs.ts'), String(pairs)];
  const { failed, shortMessage, ipcOutput, stderr } = await execa(process.execPath, args, {
    cwd,
    env: { ...cleanEnv(), LLM_LATENCY_MS: String(LATENCY_MS), ...env },
    extendEnv: false,
    ipc: true,
    // Step 01 prints its spans: read, not kept.
    buffer: { stdout: false },
    timeout: TIMEOUT_MS,
    reject: false,
  });
  if (failed) throw new Error(`${shortMessage}\n${stderr}`);
  // A call whose telemetry is thrown away costs something else.
  if (stderr.includes('Telemetry was not sent')) throw new Error(stderr);
  return ipcOutput[0] as Pairs;
}
