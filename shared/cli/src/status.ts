import { runningHere } from '@workshop/backends/compose';
import { whyNoEngine } from '@workshop/backends/lane';
import { stepOf } from './playground.ts';
import { steps } from './steps.ts';

/** Says where the attendee is, and what comes next. */
export async function showStatus(): Promise<void> {
  const step = stepOf();
  const reason = process.env.BACKENDS === 'local' ? 'BACKENDS=local' : await whyNoEngine();
  const running = reason ? [] : await runningHere();
  const next = step ? steps[steps.indexOf(step) + 1] : steps[0];
  console.log(`Step:      ${step ? `${step.name}, in playground/` : 'none yet'}
Lane:      ${reason ? `local (${reason})` : 'containers'}
Backends:  ${running.join(', ') || (reason ? 'npx workshop up starts the receiver' : 'none run: npx workshop up starts them')}

Next:`);
  if (step) console.log(`  cd playground, do what README.md says, then npm test`);
  if (next)
    console.log(
      `  npx workshop begin ${next.number}   ${step ? 'when you are done' : 'makes playground/, your own folder'}`,
    );
}
