// Runs in a step's folder, under its telemetry.ts or without: as many calls as its second argument says, the step's or bare
// ones. Sends its parent what it holds after each of the first three thousands and of the last three.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { connectLlm } from '@workshop/llm';
import { exit } from '@workshop/runtime/exit';
import { sendMessage } from 'execa';

const CONCURRENT = 20;
const THOUSAND = 1_000;
const SAMPLES = 3;

/** In MiB. */
export type Sample = { heap: number; rss: number };

const [kind, count] = process.argv.slice(2);
const { ask } = await connectLlm();
const call: (question: string) => Promise<unknown> =
  kind === 'bare' ? ask : (await import(pathToFileURL(join(process.cwd(), 'src/llm.ts')).href)).callLlm;

const thousands = Number(count) / THOUSAND;
for (let thousand = 1; thousand <= thousands; thousand += 1) {
  let left = THOUSAND;
  const askAll = async () => {
    while (left-- > 0) await call('What is a span?');
  };
  await Promise.all(Array.from({ length: CONCURRENT }, askAll));
  if (thousand <= SAMPLES || thousand > thousands - SAMPLES) await sendMessage(await sample());
}
await exit(0);

async function sample(): Promise<Sample> {
  // Each call holds its time-out until the time is over, though it was answered.
  await sleep(Number(process.env.LLM_TIMEOUT_MS) + 500);
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 };
}
