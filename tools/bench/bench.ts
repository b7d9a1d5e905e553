// `npm run bench`: measures the numbers that the workshop holds itself to. It judges nothing: where a bar is
// missed it prints `over`, and exits with 0.
import { rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseLane } from '@workshop/backends/lane';
import { root } from '@workshop/lessons/steps';
import { benchCall } from './call.ts';
import { benchCheck } from './check.ts';
import { benchCollector } from './collector.ts';
import { compare, comparisonText } from './compare.ts';
import { benchDrops } from './drops.ts';
import { type Figure, figureTable, progress, secondsSince } from './figures.ts';
import { benchInstall } from './install.ts';
import { benchMemory } from './memory.ts';
import { benchPrompt } from './prompt.ts';
import { emptyResults, type Results, type Run, readResults, writeResults } from './results.ts';
import { benchServices } from './services.ts';
import { STEP_05 } from './steps.ts';
import { benchTests } from './tests.ts';

const pieces: Record<string, { measure(run: Run): Promise<Figure[]>; quick?: true; needsContainers?: true }> = {
  call: { measure: benchCall, quick: true },
  prompt: { measure: benchPrompt, quick: true },
  services: { measure: benchServices, quick: true },
  collector: { measure: benchCollector, quick: true, needsContainers: true },
  drops: { measure: benchDrops, needsContainers: true },
  memory: { measure: benchMemory },
  check: { measure: benchCheck },
  tests: { measure: benchTests, needsContainers: true },
  install: { measure: benchInstall },
};
const KEPT = join(root, 'bench/results.json');

const help = `Usage: npm run bench [-- [--quick] [--against FILE] [--out FILE] [piece ...]]

Measures, with a baseline in the same run where there is one, and prints a Markdown table for each piece:
  call       an instrumented call to the model against the bare call
  prompt     how soon npm start prompts and replies, against npm with nothing to run
  services   POST /ask through both services of step 04, with telemetry against without
  collector  step 05's Collector: 7,500 to 30,000 spans/s offered; at full speed against one that changes nothing
  drops      where step 05's SDK begins to drop spans and log records, with other settings of its batches too;
             the peak memory of each container meanwhile
  memory     heap and memory of steps 02 and 05 after 100,000 calls, against 1,000 and against the bare calls
  check      how long npx workshop begin, check, check --watch and doctor take
  tests      a step's npm test against docker compose up, and the whole npm test
  install    npm ci in a fresh copy: seconds, packages, size
Without a piece all of them, about fifteen minutes. Close what else uses the processor.

  --quick         fewer rounds, and without a piece only ${quickOnes().join(', ')}: about two minutes
  --against FILE  compares with the result of an earlier run, and names what moved beyond the spread of both
  --out FILE      writes the result there. Without it, a whole run writes bench/results.json, and other runs nothing`;

const { names, quick, against, out } = readArguments();
const temporary = await mkdtemp(join(tmpdir(), 'bench-'));
// Some tests run programs as another user.
await chmod(temporary, 0o755);
cleanUpAtExit();
try {
  const before = against ? await readResults(against) : undefined;
  const lane = await chooseLane(STEP_05);
  if (before && before.lane !== lane.lane)
    throw new Error(`${against} was measured in lane ${before.lane}. This would be lane ${lane.lane}.`);
  const results = await emptyResults({ quick, lane });
  console.log(factsOf(results));
  for (const name of names) await measure(name, { quick, lane }, results);
  for (const [name, reason] of Object.entries(results.notMeasured)) console.log(`\n${name}: not measured: ${reason}`);
  if (out) await writeResults(out, results);
  if (before) console.log(`\n${comparisonText(String(against), compare(before, results))}`);
} catch (error) {
  console.error(`Not measured: ${messageOf(error)}`);
  process.exitCode = 1;
}

function quickOnes(): string[] {
  return Object.keys(pieces).filter((name) => pieces[name]?.quick);
}

/** Adds a piece's figures to `results`, or why there are none. */
async function measure(name: string, run: Run, { figures, notMeasured }: Results): Promise<void> {
  const piece = pieces[name];
  if (!piece) return;
  if (piece.needsContainers && run.lane.lane === 'local') {
    notMeasured[name] = `it needs containers, and this is lane local: ${run.lane.reason}`;
    return;
  }
  const start = performance.now();
  try {
    const measured = await piece.measure(run);
    console.log(`\n${figureTable(name, measured)}`);
    figures.push(...measured.map((figure) => ({ ...figure, id: `${name}: ${figure.id}` })));
  } catch (error) {
    notMeasured[name] = messageOf(error);
    process.exitCode = 1;
  }
  progress(`${name} took ${secondsSince(start).toFixed(0)} s`);
}

/** Ctrl-C too ends what was started: execa its programs, and the testkit's keepers apps and containers. */
function cleanUpAtExit(): void {
  // Here and in all programs that are started.
  process.env.TMPDIR = temporary;
  process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
}

function factsOf({ machine, lane, commit, run }: Results): string {
  const { processor, cores, memoryGiB, node, docker, compose } = machine;
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, Docker ${docker}, Compose ${compose}; lane ${lane}, commit ${commit}, ${run}`;
}

/** With its cause: that of `fetch failed` says why. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause ? `${error.message}: ${messageOf(error.cause)}` : error.message;
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        quick: { type: 'boolean', default: false },
        against: { type: 'string' },
        out: { type: 'string' },
      },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    const unknown = positionals.find((name) => !(name in pieces));
    if (unknown) throw new Error(`There is no ${unknown} to measure.`);
    const { quick, against } = values;
    const all = quick ? quickOnes() : Object.keys(pieces);
    const isWhole = positionals.length === 0 && !quick;
    const names = positionals.length > 0 ? positionals : all;
    return { names, quick, against, out: values.out ?? (isWhole ? KEPT : undefined) };
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${help}`);
    process.exit(2);
  }
}
