// For the trainer: runs the services, asks all the time, and after a while something goes wrong. What, is for you to find.
import { parseArgs } from 'node:util';
import { execa } from 'execa';

const ASK_EVERY_MS = 400;

/** What goes wrong, and where it shows. */
const faults = [
  { env: { LLM_FAULT: 'slow' }, cause: "The model takes 5 s longer: the time is in the backend's CLIENT span." },
  { env: { LLM_FAULT: 'rate-limit' }, cause: 'The provider says 429, too many requests: error.type is rate_limited.' },
  { env: { LLM_FAULT: 'malformed' }, cause: 'The model answers, but no JSON: error.type is malformed_response.' },
  {
    env: { LLM_FAULT: 'timeout', LLM_TIMEOUT_MS: '1000' },
    cause:
      'The model does not answer, and the backend gives up after 1 s: error.type is timeout, and both services are red.',
  },
  {
    env: { LLM_LATENCY_MS: '1500', BACKEND_TIMEOUT_MS: '1000' },
    cause: 'The frontend gives up after 1 s and the backend answers after 1.5: not one of its spans is red.',
  },
];

const usage = `Usage: npm run capstone [-- [--after SECONDS] [NUMBER]]
Runs the services and asks all the time. After 30 seconds, or SECONDS, something goes wrong; Ctrl-C ends it and says what.
NUMBER, 1 to ${faults.length}, chooses the fault: for groups that are to find the same one. Without it chance does.`;

const { after, number } = readArguments();
const fault = faults[number - 1] as (typeof faults)[number];
const ctrlC = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ctrlC.abort());

console.log(`All is well: see ${await pageToWatch()}. In ${after} s something will go wrong.`);
const calm = AbortSignal.any([ctrlC.signal, AbortSignal.timeout(after * 1000)]);
if (!(await run({}, calm))) process.exit(1);
if (ctrlC.signal.aborted) process.exit(0);

console.log('Now it has happened. Which alert, which service, which cause? Ctrl-C ends it and tells.');
const ranOn = await run(fault.env, ctrlC.signal);
console.log(`\nIt was this. ${fault.cause}`);
process.exit(ranOn ? 0 : 1);

/** Runs both services and asks, until `end` aborts. Returns false when they have ended before: they said why. */
async function run(env: Record<string, string>, end: AbortSignal): Promise<boolean> {
  const services = execa('workshop-services', ['frontend', 'backend'], {
    cwd: import.meta.dirname,
    preferLocal: true,
    localDir: import.meta.dirname,
    // The embedded model: a real one has no faults on request.
    env: { LLM_BASE_URL: '', ...env },
    killDescendants: true,
    stdio: 'inherit',
    reject: false,
  });
  const asking = setInterval(ask, ASK_EVERY_MS);
  end.addEventListener('abort', () => services.kill('SIGTERM'), { once: true });
  await services;
  clearInterval(asking);
  return end.aborted;
}

/** Grafana's address; that of the receiver of `npm run local` where it answers, and Grafana does not. */
async function pageToWatch(): Promise<string> {
  const grafana = `http://localhost:${process.env.GRAFANA_PORT || 3000}`;
  const receiver = process.env.OTEL_EXPORTER_OTLP_ENDPOINT || 'http://localhost:4318';
  return !(await answers(`${grafana}/api/health`)) && (await answers(receiver)) ? receiver : grafana;
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Asks, unless the backend has not started yet. */
async function ask(): Promise<void> {
  const { FRONTEND_PORT, BACKEND_PORT } = process.env;
  try {
    await fetch(`http://localhost:${BACKEND_PORT || 8081}/health`);
    await fetch(`http://localhost:${FRONTEND_PORT || 8080}/ask`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ question: 'What is a trace?' }),
    });
  } catch {
    // They are starting, or ending.
  }
}

function readArguments(): { after: number; number: number } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' }, after: { type: 'string', default: '30' } },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const after = Number(values.after);
    if (!(after > 0 && after <= 3_600)) throw new Error(`--after ${values.after}: it must be 1 to 3600 seconds.`);
    const [chosen = String(1 + Math.floor(Math.random() * faults.length))] = positionals;
    const number = Number(chosen);
    if (positionals.length > 1 || !faults[number - 1]) throw new Error(`There is no fault ${positionals.join(' ')}.`);
    return { after, number };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}
