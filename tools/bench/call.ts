import { join } from 'node:path';
import { cleanEnv } from '@workshop/testkit/app';
import { execa } from 'execa';
import type { Pairs } from './pairs.ts';
import { startReceiver } from './receiver.ts';
import { median, medianError, printTable, progress, verdict } from './report.ts';
import { stepsWith } from './steps.ts';

const LATENCY_MS = 20;
const BAR_MS = 0.2;
const TIMEOUT_MS = 120_000;

/** What a step's call costs over the bare call in the same process, telemetry sent to a receiver that takes it. */
export async function benchCall(): Promise<void> {
  const rows: string[][] = [];
  for (const { name, path } of await stepsWith('src/app.ts')) {
    progress(`call: ${name}, about 20 s`);
    const receiver = await startReceiver(path);
    try {
      const { bare, instrumented } = await runPairs(path, receiver.env);
      // The difference within pairs: what slows the machine for a while slows both calls of a pair.
      const differences = instrumented.map((ms, i) => ms - (bare[i] ?? Number.NaN));
      const cost = median(differences);
      rows.push([
        name,
        receiver.name,
        median(bare).toFixed(2),
        median(instrumented).toFixed(2),
        `${cost.toFixed(2)} ± ${medianError(differences).toFixed(2)}`,
        (median(instrumented) / median(bare)).toFixed(3),
        // Step 01 writes to the console inside of span.end(): shown, not judged.
        ...(receiver.name === 'stdout' ? ['', ''] : [String(BAR_MS), verdict(cost, BAR_MS)]),
      ]);
    } finally {
      await receiver.stop();
    }
  }
  const header = ['step', 'sends to', 'bare', 'instrumented', 'difference', 'ratio', 'bar', ''];
  printTable(`call: milliseconds at ${LATENCY_MS} ms latency, medians; the difference within pairs`, header, rows);
}

async function runPairs(cwd: string, env: Record<string, string>): Promise<Pairs> {
  const args = ['--import', './src/telemetry.ts', join(import.meta.dirname, 'pairs.ts')];
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
