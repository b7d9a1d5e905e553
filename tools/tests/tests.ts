// `npm test` and `npm run test:slow` at the root: turbo runs the script of that name in every package, and a table
// says what it came to. Arguments go on to turbo: npm test -- --filter=@workshop/02-jaeger
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Summary } from '@workshop/testkit/summary';
import { execa, type Options } from 'execa';
import { markdownTable } from 'markdown-table';

type Row = { name: string; summary: Summary };

// Counts as one failure, or else nothing would have failed.
const NOT_ENDED: Summary = { passed: 0, failed: 1, skipped: {} };

const [task = 'test', ...more] = process.argv.slice(2);
const slow = task === 'test:slow';
// The slow ones run one after the other and are shown as they go. The others run two at once, which would be mixed.
const order = slow ? ['--log-order=stream', '--concurrency=1'] : ['--log-order=grouped'];
const coloured = Boolean(process.env.FORCE_COLOR || process.stdout.hasColors?.());
const colours = coloured ? '--color' : '--no-color';
const args = [task, '--continue', '--log-prefix=none', colours, ...order, ...more];
const turboOptions = {
  preferLocal: true,
  stdin: 'inherit',
  stderr: ['pipe', 'inherit'],
  env: { TURBO_TELEMETRY_DISABLED: '1', ...(!coloured && { NO_COLOR: '1' }) },
  reject: false,
} satisfies Options;

const names = await packages();
console.log(`Tests of ${names.join(', ')}.${slow ? '' : ' Each is shown when it has ended.'}`);
const results = await mkdtemp(join(tmpdir(), 'otel-workshop-results-'));
const exitCode = await runTests();
const rows = await Promise.all(names.map(async (name) => ({ name, summary: await summaryOf(name) })));
await rm(results, { recursive: true, force: true });
// turbo ends with 0 when it is told to end.
process.exitCode = exitCode || (rows.some(({ summary }) => summary.failed > 0) ? 1 : 0);
console.log(`\n${report(rows)}`);

/** The names of the folders in which tests will run. Where turbo does not plan any, it has said why, and all ends. */
async function packages(): Promise<string[]> {
  const { stdout, exitCode } = await execa('turbo', ['run', '--dry-run=json', ...args], turboOptions);
  if (!stdout.startsWith('{')) {
    console.log(stdout);
    process.exit(exitCode);
  }
  const { tasks } = JSON.parse(stdout) as { tasks: { command: string; directory: string }[] };
  return tasks.filter(({ command }) => command !== '<NONEXISTENT>').map(({ directory }) => basename(directory));
}

/** Runs the tests to their end. Returns turbo's exit code. */
async function runTests(): Promise<number> {
  const turbo = execa('turbo', ['run', ...args], {
    ...turboOptions,
    env: { ...turboOptions.env, WORKSHOP_RESULTS: results },
    // By way of a pipe: on a terminal turbo and the tests would redraw their lines, each over those of the others.
    stdout: ['pipe', 'inherit'],
    buffer: false,
    // It ends its tasks in peace, however long they take.
    forceKillAfterDelay: false,
  });
  // Ctrl-C reaches turbo by itself.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => turbo.kill());
  // Nobody reads on: the terminal was closed, or `| head` has enough.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => turbo.kill());
  const { exitCode } = await turbo;
  return exitCode ?? 1;
}

async function summaryOf(name: string): Promise<Summary> {
  const text = await readFile(join(results, `${name}.json`), 'utf8').catch(() => undefined);
  return text ? (JSON.parse(text) as Summary) : NOT_ENDED;
}

function report(rows: Row[]): string {
  const header = ['package', 'lane', 'passed', 'failed', 'skipped', ''];
  const cells = rows.map(({ name, summary }) => {
    const counts = [summary.passed, summary.failed, skipped(summary)].map(String);
    return [name, summary.lane ?? '', ...counts, verdict(summary)];
  });
  const reasons = rows.flatMap(({ name, summary }) =>
    Object.entries(summary.skipped).map(([reason, count]) => `${name}: ${count} skipped (${reason})`),
  );
  const local = rows.some(({ summary }) => summary.lane === 'local');
  const total = (count: (summary: Summary) => number) => rows.reduce((sum, { summary }) => sum + count(summary), 0);
  return [
    markdownTable([header, ...cells], { align: ['l', 'l', 'r', 'r', 'r', 'l'] }),
    ...(reasons.length > 0 ? ['', ...reasons] : []),
    ...(local
      ? ['', 'Lane local: telemetry leaves the program and decodes. Only containers prove that it lands.']
      : []),
    '',
    `${total(({ passed }) => passed)} passed, ${total(({ failed }) => failed)} failed, ${total(skipped)} skipped`,
  ].join('\n');
}

function skipped(summary: Summary): number {
  return Object.values(summary.skipped).reduce((sum, count) => sum + count, 0);
}

function verdict(summary: Summary): string {
  if (summary === NOT_ENDED) return 'did not run to its end';
  return summary.failed > 0 ? 'failed' : 'ok';
}
