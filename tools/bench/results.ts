import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { Lane } from '@workshop/backends/lane';
import { execa } from 'execa';
import type { Figure } from './figures.ts';

export type Run = { quick: boolean; lane: Lane };

/** What a run has measured, and where. */
export type Results = {
  machine: { processor: string; cores: number; memoryGiB: number; node: string; docker: string; compose: string };
  date: string;
  /** With `-dirty` where files had changed since. */
  commit: string;
  lane: Lane['lane'];
  run: 'quick' | 'whole';
  /** Why a piece was not measured. */
  notMeasured: Record<string, string>;
  figures: Figure[];
};

/** Results of this machine, now, without a figure yet. */
export async function emptyResults({ quick, lane }: Run): Promise<Results> {
  return {
    machine: {
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
      docker: await said('docker', ['version', '--format', '{{.Server.Version}}']),
      compose: await said('docker', ['compose', 'version', '--short']),
    },
    date: new Date().toISOString(),
    commit: await said('git', ['describe', '--always', '--dirty', '--exclude=*']),
    lane: lane.lane,
    run: quick ? 'quick' : 'whole',
    notMeasured: {},
    figures: [],
  };
}

async function said(command: string, args: string[]): Promise<string> {
  const { stdout, failed } = await execa(command, args, { cwd: import.meta.dirname, reject: false, timeout: 5_000 });
  return failed ? 'none' : stdout;
}

/** Reads what an earlier run has written. Throws an Error that names the file when it is no such thing. */
export async function readResults(file: string): Promise<Results> {
  const text = await readFile(file, 'utf8').catch((error) =>
    Promise.reject(new Error(`Cannot read ${file}: ${error.code}.`)),
  );
  let results: Partial<Results> | null;
  try {
    results = JSON.parse(text);
  } catch {
    throw new Error(`${file} is not JSON. Perhaps only half of it was written.`);
  }
  if (!results?.machine || !results.lane || !Array.isArray(results.figures))
    throw new Error(`${file} is no result of npm run bench: it has no machine, lane and figures.`);
  return results as Results;
}

export async function writeResults(file: string, results: Results): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
}
