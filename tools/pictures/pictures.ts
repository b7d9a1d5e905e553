// `npm run pictures`, or of one step `npm run pictures 02`: makes the pictures of the READMEs anew, from what lands now. Each
// is made by the test of its name in the step's test/pictures.slow.test.ts, which also proves that the picture is true.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findStep, type Step, steps } from '@workshop/lessons/steps';
import { cleanEnv } from '@workshop/testkit/app';
import { runVitest } from '@workshop/testkit/run-vitest';

const TEST = 'test/pictures.slow.test.ts';

// Whoever ends it ends the tests, and they take down what they have started.
const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ended.abort('Interrupted.'));
const wanted = process.argv.slice(2).map(toStep);
const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
try {
  for (const step of wanted.length > 0 ? wanted : steps) if (existsSync(join(step.dir, TEST))) await make(step);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

/** Makes the pictures of a step, and says which could not be made. */
async function make(step: Step): Promise<void> {
  console.error(`${step.name}: up to a minute ...`);
  const { all, results } = await runVitest(['--mode', 'slow', TEST], {
    cwd: step.dir,
    file: join(folder, `${step.number}.json`),
    // No picture shows Grafana.
    env: { WITHOUT: 'grafana', ...cleanEnv(), WORKSHOP_PICTURES: 'make' },
    signal: ended.signal,
  });
  const [backends] = /^Backends: .*/m.exec(all) ?? [];
  if (backends) console.log(`  ${backends}`);
  if (results.length === 0) throw new Error(`${step.name}: no picture was made. The tests printed:\n${all}`);
  for (const { fullName, status, failureMessages } of results) {
    if (status === 'passed') console.log(`  made      ${fullName}`);
    else {
      console.log(`  not made  ${fullName}${status === 'failed' ? `\n${failureMessages[0]}` : ''}`);
      process.exitCode = 1;
    }
  }
}

function toStep(text: string): Step {
  const step = findStep(text);
  if (step) return step;
  console.error(`There is no step ${text}. Usage: npm run pictures, or of one step: npm run pictures 02`);
  process.exit(2);
}
