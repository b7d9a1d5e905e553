import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@workshop/backends/ports';
import { type App, canUseTerminal, startApp, startAppOnTerminal } from '@workshop/testkit/app';
import { type Figure, figure, progress, secondsSince } from './figures.ts';
import type { Run } from './results.ts';
import { stepsWith } from './steps.ts';

const BAR_S = 1.5;
const POLL_MS = 2;
const TIMEOUT_MS = 20_000;
const END_OF_INPUT = '\x04';
const QUESTION = 'What is the biggest capital city in Asia?';

/** How long `npm start` takes to its prompt and a question to its reply, against an npm script that does nothing. */
export async function benchPrompt({ quick }: Run): Promise<Figure[]> {
  const nothing: number[] = [];
  const steps = stepsWith('src/app.ts').map((step) => ({ ...step, prompts: [] as number[], replies: [] as number[] }));
  const runs = quick ? 2 : 5;
  for (let run = 0; run < runs; run += 1) {
    progress(`prompt: run ${run + 1} of ${runs}`);
    nothing.push(await runNothing());
    for (const { dir, prompts, replies } of steps) {
      const { prompt, reply } = await runApp(dir);
      prompts.push(prompt);
      replies.push(reply);
    }
  }
  const baseline = { id: 'npm, nothing to run', values: nothing };
  return steps.flatMap(({ name, prompts, replies }) => [
    figure(`${name}, npm start to the prompt`, 's', prompts, { baseline, bar: BAR_S }),
    figure(`${name}, question to reply`, 's', replies),
  ]);
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
