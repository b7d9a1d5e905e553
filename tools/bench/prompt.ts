import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@workshop/backends/ports';
import { type App, canUseTerminal, startApp, startAppOnTerminal } from '@workshop/testkit/app';
import { median, printTable, progress, verdict } from './report.ts';
import { stepsWith } from './steps.ts';

const RUNS = 5;
const BAR_S = 1.5;
const POLL_MS = 2;
const TIMEOUT_MS = 20_000;
const END_OF_INPUT = '\x04';
const QUESTION = 'What is the biggest capital city in Asia?';

/** How long `npm start` takes to its prompt and a question to its reply, against an npm script that does nothing. */
export async function benchPrompt(): Promise<void> {
  const steps = await stepsWith('src/app.ts');
  const nothing: number[] = [];
  const runs = steps.map(() => ({ prompt: [] as number[], reply: [] as number[] }));
  for (let run = 0; run < RUNS; run += 1) {
    progress(`prompt: run ${run + 1} of ${RUNS}`);
    nothing.push(await runNothing());
    for (const [i, { path }] of steps.entries()) {
      const { prompt, reply } = await runApp(path);
      runs[i]?.prompt.push(prompt);
      runs[i]?.reply.push(reply);
    }
  }
  const baseline = median(nothing);
  const rows = steps.map(({ name }, i) => {
    const prompt = median(runs[i]?.prompt ?? []);
    const ratio = (prompt / baseline).toFixed(1);
    return [
      name,
      prompt.toFixed(2),
      ratio,
      String(BAR_S),
      verdict(prompt, BAR_S),
      median(runs[i]?.reply ?? []).toFixed(2),
    ];
  });
  rows.unshift(['npm, nothing to run', baseline.toFixed(2), '1.0', '', '', '']);
  const where = canUseTerminal ? 'on a terminal' : 'through pipes, as there is no `script` to make a terminal';
  const header = ['npm start', 'to the prompt', 'ratio', 'bar', '', 'question to reply'];
  printTable(`prompt: seconds, medians of ${RUNS} runs ${where}`, header, rows);
}

async function runNothing(): Promise<number> {
  const cwd = join(import.meta.dirname, 'nothing');
  const start = performance.now();
  await using app = startIn(cwd);
  const { exitCode, stderr } = await app.ended;
  if (exitCode !== 0) throw new Error(`npm start in ${cwd} failed: ${stderr}`);
  return secondsSince(start);
}

async function runApp(step: string): Promise<{ prompt: number; reply: number }> {
  const start = performance.now();
  await using app = startIn(step, await nowhere());
  await shows(app, canUseTerminal ? 'How can I help You Today?' : 'System:');
  const prompt = secondsSince(start);
  const asked = performance.now();
  app.type(`${QUESTION}\n`);
  await shows(app, 'Trace:');
  const reply = secondsSince(asked);
  // On a terminal that is Ctrl-D. It ends by itself: killed, it would still be busy ending during the next run.
  if (canUseTerminal) {
    app.type(END_OF_INPUT);
    await app.ended;
  }
  return { prompt, reply };
}

function startIn(cwd: string, env: Record<string, string> = {}): App {
  return canUseTerminal ? startAppOnTerminal([], { cwd, env }) : startApp([], { cwd, env });
}

/** Free ports: what is measured neither lands in backends that run here nor meets an app that runs here. */
async function nowhere(): Promise<Record<string, string>> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${await freePort()}`,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePort()),
  };
}

async function shows(app: App, text: string): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!app.stdout.includes(text)) {
    if (!app.isRunning || performance.now() > deadline) {
      throw new Error(`The app does not show "${text}". It printed:\n${app.stdout}${app.stderr}`);
    }
    await sleep(POLL_MS);
  }
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
