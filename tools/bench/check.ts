import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { copyWorkshop } from '@workshop/cli/copy';
import { steps } from '@workshop/lessons/steps';
import { median, printTable, progress, verdict } from './report.ts';

const RUNS = 3;
const BARS_S = { begin: 1, check: 10, watch: 5, doctor: 5 };
const POLL_MS = 20;
const TIMEOUT_MS = 60_000;
/** How a check ends: `3 of 14.` */
const VERDICTS = /^\d+ of \d+\./gm;

type Workshop = Awaited<ReturnType<typeof copyWorkshop>>;

/** How long an attendee waits for the workshop command, in a copy of the workshop: nobody's playground is touched. */
export async function benchCheck(): Promise<void> {
  await using workshop = await copyWorkshop();
  const rows: string[][] = [];
  for (const { number } of steps) {
    progress(`check: step ${number}, ${RUNS} times, about 30 s`);
    const begins: number[] = [];
    const checks: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      begins.push(await timeCommand(workshop, ['begin', number], 0));
      checks.push(await timeCommand(workshop, ['check'], 1));
    }
    rows.push(row(`begin ${number}`, begins, BARS_S.begin));
    rows.push(row(`check, at the start of ${number}`, checks, BARS_S.check));
    rows.push(row(`check --watch, in ${number}`, await timeSaves(workshop), BARS_S.watch));
  }
  progress(`check: doctor, ${RUNS} times`);
  const doctors: number[] = [];
  for (let run = 0; run < RUNS; run += 1) doctors.push(await timeCommand(workshop, ['doctor']));
  rows.push(row('doctor', doctors, BARS_S.doctor));
  const title = `check: seconds, medians of ${RUNS}; of check --watch from saving src/llm.ts to the verdict`;
  printTable(title, ['npx workshop', 'seconds', 'bar', ''], rows);
}

function row(name: string, seconds: number[], bar: number): string[] {
  return [name, median(seconds).toFixed(1), String(bar), verdict(median(seconds), bar)];
}

/** Throws an Error when the command ends with another exit code than `expected`. */
async function timeCommand({ run }: Workshop, args: string[], expected?: number): Promise<number> {
  const start = performance.now();
  const { exitCode, stdout, stderr } = await run(args);
  if (expected !== undefined && exitCode !== expected)
    throw new Error(
      `workshop ${args.join(' ')} ended with ${exitCode}, not ${expected}. It printed:\n${stdout}${stderr}`,
    );
  return secondsSince(start);
}

/** Seconds from each save to the verdict, while `check --watch` runs. */
async function timeSaves({ run, playground }: Workshop): Promise<number[]> {
  const watch = run(['check', '--watch']);
  let printed = '';
  watch.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  const seconds: number[] = [];
  try {
    await verdicts(1, () => printed);
    for (let save = 0; save < RUNS; save += 1) {
      const start = performance.now();
      await appendFile(join(playground, 'src/llm.ts'), '\n');
      await verdicts(2 + save, () => printed);
      seconds.push(secondsSince(start));
    }
  } finally {
    watch.kill('SIGTERM');
    await watch;
  }
  return seconds;
}

async function verdicts(count: number, printed: () => string): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while ((printed().match(VERDICTS)?.length ?? 0) < count) {
    if (performance.now() > deadline)
      throw new Error(`No verdict ${count} of check --watch after ${TIMEOUT_MS / 1000} s. It printed:\n${printed()}`);
    await sleep(POLL_MS);
  }
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
