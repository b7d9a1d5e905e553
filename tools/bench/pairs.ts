// Runs in a step's folder, under its telemetry.ts: the step's call and the bare call to the same embedded model by turns, as
// often as its argument says. Sends the milliseconds of both to its parent.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { connectLlm } from '@workshop/llm';
import { exit } from '@workshop/runtime/exit';
import { sendMessage } from 'execa';

const WARM_UP = 20;
const QUESTION = 'What is the biggest capital city in Asia?';

export type Pairs = { bare: number[]; instrumented: number[] };

const { callLlm } = await import(pathToFileURL(join(process.cwd(), 'src/llm.ts')).href);
const llm = await connectLlm();

const pairs: Pairs = { bare: [], instrumented: [] };
for (let i = -WARM_UP; i < Number(process.argv[2]); i += 1) {
  // What the first of a pair leaves behind, garbage or a timer, falls on the second: each is first in every other pair.
  const instrumentedFirst = i % 2 === 0;
  const early = instrumentedFirst ? await time(() => callLlm(QUESTION)) : undefined;
  const bare = await time(() => llm.ask(QUESTION));
  const instrumented = early ?? (await time(() => callLlm(QUESTION)));
  if (i < 0) continue;
  pairs.bare.push(bare);
  pairs.instrumented.push(instrumented);
}
await sendMessage(pairs);
// As the app ends: with a flush, and though step 03 still serves its metrics.
await exit(0);

async function time(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}
