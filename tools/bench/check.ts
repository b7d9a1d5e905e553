import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { copyWorkshop } from '@workshop/cli/copy';
import { steps } from '@workshop/lessons/steps';
import { type Figure, figure, progress, secondsSince } from './figures.ts';
import type { Run } from './results.ts';

const BARS_S = { begin: 1, check: 10, watch: 5, doctor: 5 };
const POLL_MS = 20;
const TIMEOUT_MS = 60_000;
/** How a check ends: `3 of 14.` */
const VERDICTS = /^\d+ of \d+\./gm;
/** What a check prints, and when. */
const PHASES = [
  ['vitest runs', /\(your work in /],
  ['backends answer', /^Backends: /m],
  ['first test ends', /^ {2}(ok|FAIL) /m],
  ['verdict', VERDICTS],
] as const;

type Workshop = Awaited<ReturnType<typeof copyWorkshop>>;

/** How long an attendee waits for the workshop command, in a copy of the workshop: nobody's playground is touched. */
export async function benchCheck({ quick }: Run): Promise<Figure[]> {
  await using workshop = await copyWorkshop();
  const runs = quick ? 1 : 2;
  const figures: Figure[] = [];
  for (const { number } of steps) {
    progress(`check: step ${number}`);
    const begins: number[] = [];
    const checks: Record<string, number>[] = [];
    for (let run = 0; run < runs; run += 1) {
      begins.push(await timeCommand(workshop, ['begin', number]));
      checks.push(await timeCheck(workshop));
    }
    figures.push(figure(`begin ${number}`, 's', begins, { bar: BARS_S.begin }));
    for (const phase of Object.keys(checks[0] ?? {})) {
      const seconds = checks.map((check) => check[phase] ?? Number.NaN);
      figures.push(
        figure(`check ${number}, until: ${phase}`, 's', seconds, phase === 'verdict' ? { bar: BARS_S.check } : {}),
      );
    }
    figures.push(
      figure(`check --watch ${number}, save to verdict`, 's', await timeSaves(workshop, runs), { bar: BARS_S.watch }),
    );
  }
  const doctors: number[] = [];
  for (let run = 0; run < runs; run += 1) doctors.push(await timeCommand(workshop, ['doctor']));
  return [...figures, figure('doctor', 's', doctors, { bar: BARS_S.doctor })];
}

async function timeCommand({ run }: Workshop, args: string[]): Promise<number> {
  const start = performance.now();
  await run(args);
  return secondsSince(start);
}

/** Seconds from the start of a check on untouched work until each phase. Throws an Error when it does not fail. */
async function timeCheck({ run }: Workshop): Promise<Record<string, number>> {
  const start = performance.now();
  const check = run(['check']);
  const seconds: Record<string, number> = {};
  let printed = '';
  check.stdout.on('data', (chunk) => {
    printed += chunk;
    for (const [phase, pattern] of PHASES)
      if (!(phase in seconds) && printed.search(pattern) >= 0) seconds[phase] = secondsSince(start);
  });
  const { exitCode, stderr } = await check;
  if (exitCode !== 1 || !seconds.verdict)
    throw new Error(`workshop check ended with ${exitCode}, not 1. It printed:\n${printed}${stderr}`);
  return { ...seconds, end: secondsSince(start) };
}

/** Seconds from each save to the verdict, while `check --watch` runs. */
async function timeSaves({ run, playground }: Workshop, saves: number): Promise<number[]> {
  const watch = run(['check', '--watch']);
  let printed = '';
  watch.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  const seconds: number[] = [];
  try {
    await verdicts(1, () => printed);
    for (let save = 0; save < saves; save += 1) {
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
