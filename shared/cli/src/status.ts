import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runningHere } from '@workshop/backends/compose';
import { whyNoEngine } from '@workshop/backends/lane';
import { type Outcome, readState } from '@workshop/lessons/state';
import { after, type Step, steps } from '@workshop/lessons/steps';
import { playground, stepOf } from './playground.ts';

/** Says where the attendee is, and what comes next. */
export async function showStatus(): Promise<void> {
  const step = stepOf();
  const reason = process.env.BACKENDS === 'local' ? 'BACKENDS=local' : await whyNoEngine();
  const running = reason ? [] : await runningHere();
  const last = step && readState(playground).last;
  const following = step ? after(step) : steps[0];
  const isGreen = last && !last.failure;
  console.log(`Step:      ${step ? `${step.name}, in playground/` : 'none yet'}
Lane:      ${reason ? `local (${reason})` : 'containers'}
Backends:  ${running.join(', ') || howToStart(step, reason)}
Check:     ${last ? inWords(last) : 'none yet'}

Next:`);
  if (step && !isGreen) {
    console.log('  cd playground, and do what README.md says');
    console.log('  npx workshop check --watch   checks your work whenever you save');
    if (last) console.log('  npx workshop hint            helps');
  }
  if (following)
    console.log(
      `  npx workshop begin ${following.number}        ${step ? 'when all tests pass' : 'makes playground/, your own folder'}`,
    );
  if (!following && isGreen) console.log('  That was the last step.');
}

function howToStart(step: Step | undefined, reason: string | undefined): string {
  if (step && !existsSync(join(step.dir, 'compose.yaml'))) return 'this step needs none';
  return reason ? 'npx workshop up starts the receiver' : 'none run: npx workshop up starts them';
}

function inWords({ passed, total, failure }: Outcome): string {
  const count = `${passed} of ${total}`;
  if (!failure) return count;
  return [`${count}. FAIL: ${failure.test}`, ...(failure.cause?.at ? [`Look at: ${failure.cause.at}`] : [])].join(
    '\n           ',
  );
}
