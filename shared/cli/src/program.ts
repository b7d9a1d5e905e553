import { relative } from 'node:path';
import { findStep, root, type Step, steps } from '@workshop/lessons/steps';
import { Command } from 'commander';
import { begin, finishInterrupted, listSaved, playground, restore, stepOf } from './playground.ts';

const typedIn = process.cwd();
const WRONG_USAGE = 2;
const NO_WRITING = ['EROFS', 'EACCES', 'EPERM', 'EBUSY'];

const program = new Command('workshop')
  .description('An OpenTelemetry workshop in five steps. Without a command: where you are, and what comes next.')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_USAGE))
  .showHelpAfterError('(--help shows how it is used)')
  .action(async () => {
    const [unknown] = program.args;
    if (unknown) program.error(`error: there is no command '${unknown}'`);
    const { showStatus } = await import('./status.ts');
    await showStatus();
  });

program
  .command('begin')
  .description('make playground/, your own folder, at the start of a step; the one that was there is kept')
  .argument('[NN]', 'the step, for example 02', toStep)
  .option('--solved', "with the step's solution in it")
  .option('--list', 'show what was kept in playground.saved/')
  .option('--restore [TIME]', 'bring one of them back: the latest, or the one of that time')
  .addHelpText(
    'after',
    examples(
      ['npx workshop begin 01', 'begin with the first step'],
      ['npx workshop begin 03 --solved', 'see the solution of step 03 run'],
      ['npx workshop begin --list', 'what was kept'],
      ['npx workshop begin --restore', 'go back to what you had before the last begin'],
    ),
  )
  .action(async (step: Step | undefined, { solved, list, restore: time }, command: Command) => {
    if (list) return printSaved();
    if (time) {
      const saved = await restore(time === true ? undefined : time);
      return printPlayground(stepOf(), 'is what it was.', saved);
    }
    if (!step) command.error('error: which step? For example: npx workshop begin 01');
    const saved = await begin(step, Boolean(solved));
    printPlayground(
      step,
      solved ? `holds the solution of step ${step.number}.` : `is at the start of step ${step.number}.`,
      saved,
    );
  });

program
  .command('check')
  .description("check your work with the step's tests: what landed, what is missing, and where")
  .option('--watch', 'check again whenever you save, with the backends kept up')
  .option('--json', 'print what it came to as JSON')
  .addHelpText(
    'after',
    examples(
      ['npx workshop check', 'check once'],
      ['npx workshop check --watch', 'check again whenever you save; Ctrl-C ends it'],
    ),
  )
  .action(async ({ watch, json }, command: Command) => {
    if (watch && json) command.error('error: choose --watch or --json');
    begun();
    const { check, checkAgain } = await import('./check.ts');
    process.exitCode = watch ? await checkAgain() : await check({ json });
  });

program
  .command('hint')
  .description('print the next hint for the task at hand')
  .addHelpText('after', examples(['npx workshop hint', 'one hint more each time']))
  .action(async () => {
    begun();
    const { nextHint } = await import('./hint.ts');
    console.log(nextHint());
  });

program
  .command('diff')
  .description('show what a step adds to the step before; without a step, what your work still lacks')
  .argument('[NN]', 'the step, for example 02', toStep)
  .addHelpText(
    'after',
    examples(
      ['npx workshop diff 02', 'what step 02 adds to step 01'],
      ['npx workshop diff', 'what playground/ lacks against the solution of its step'],
    ),
  )
  .action(async (step: Step | undefined) => {
    const { showMissing, showStep } = await import('./diff.ts');
    if (step) return showStep(step);
    if (!(await showMissing(begun()))) console.log('Nothing is missing: your work is the same as the solution.');
  });

program
  .command('start')
  .description("run a step's app: step 01 if you name none")
  .argument('[NN]', 'the step, for example 02')
  .argument('[question...]', 'asked at once; without it you are prompted')
  .addHelpText(
    'after',
    examples(
      ['npx workshop start', 'step 01 asks for your questions'],
      ['npx workshop start 02 "What is a span?"', 'step 02 answers this one'],
      ['npx workshop start 02 --set LLM_FAULT=slow "What is a span?"', 'with a setting'],
    ),
  )
  .action(async (first: string | undefined, question: string[]) => {
    const { start } = await import('./start.ts');
    const step = first === undefined ? undefined : findStep(first);
    await start(step ?? (steps[0] as Step), step || first === undefined ? question : [first, ...question]);
  });

program
  .command('ask')
  .description('ask the frontend that runs in step 04 or 05; prints the reply and its trace')
  .argument('[question...]', 'your question')
  .addHelpText(
    'after',
    examples(
      ['npx workshop ask "What is a trace?"', 'the reply, the trace id, and the link'],
      ['npx workshop ask --set FRONTEND_PORT=8090 "What is a trace?"', 'a frontend on another port'],
    ),
  )
  .action(async (question: string[]) => {
    const { ask } = await import('./ask.ts');
    await ask(question.join(' ') || 'What is the biggest capital city in Asia?');
  });

program
  .command('up')
  .description("start a step's backends, wait until they answer, and print their links; without Docker, the receiver")
  .argument('[NN]', 'the step; without it, the one that you have begun', toStep)
  .option(
    '--class',
    'for the trainer: opens one port to the network, with a token, so that a class can send to step 05',
  )
  .addHelpText(
    'after',
    examples(
      ['npx workshop up', 'the backends of the step that you have begun'],
      ['npx workshop up 03', 'those of step 03; what only another step needs is taken down'],
      ['npx workshop up 05 --class', 'those of step 05, and the lines that a class needs to send to them'],
    ),
  )
  .action(async (named: Step | undefined, options: { class?: boolean }, command: Command) => {
    const { canServeClass, up, upForClass } = await import('./backends.ts');
    const step = named ?? begun();
    if (!options.class) return up(step);
    if (!canServeClass(step)) command.error(`error: step ${step.number} has no Collector: npx workshop up 05 --class`);
    await upForClass(step);
  });

program
  .command('down')
  .description('take the backends down')
  .addHelpText('after', examples(['npx workshop down', 'end the containers, of whichever step']))
  .action(async () => {
    const { down } = await import('./backends.ts');
    await down();
  });

program
  .command('pull')
  .description('get the images of all steps; --save and --load carry them to a room without network')
  .option('--save <FILE>', 'write the images into a file')
  .option('--load <FILE>', 'take the images from such a file')
  .addHelpText(
    'after',
    examples(
      ['npx workshop pull', 'at home, before the workshop'],
      ['npx workshop pull --save images.tar', 'for a USB stick'],
      ['npx workshop pull --load images.tar', 'without network'],
    ),
  )
  .action(async ({ save, load }: { save?: string; load?: string }, command: Command) => {
    if (save && load) command.error('error: --save or --load, not both');
    const { loadImages, pull, saveImages } = await import('./images.ts');
    if (save) return saveImages(save);
    return load ? loadImages(load) : pull();
  });

program
  .command('doctor')
  .description('check whether this machine can run the workshop: a line for each check, and what to do')
  .option('--json', 'for programs')
  .addHelpText(
    'after',
    examples(['npx workshop doctor', 'before the workshop'], ['npx workshop doctor --json', 'for a script']),
  )
  .action(async ({ json }: { json?: boolean }) => {
    const { doctor } = await import('./doctor.ts');
    process.exitCode = (await doctor(Boolean(json))) ? 0 : 1;
  });

try {
  await finishInterrupted();
  // Last: every command would inherit it.
  await program.allowExcessArguments().parseAsync();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const { code } = error as NodeJS.ErrnoException;
  if (code && NO_WRITING.includes(code)) {
    console.error(
      `Nothing can be written or moved in ${root} (${code}). Is it read-only, or is a file of playground/ in use?`,
    );
  } else if (error.constructor === Error) console.error(error.message);
  else throw error;
  process.exitCode = 1;
}

function toStep(text: string): Step {
  const step = findStep(text);
  if (step) return step;
  return program.error(`error: there is no step ${text}. There are ${steps.map(({ number }) => number).join(', ')}.`);
}

/** The step of the playground. Throws an Error when there is none. */
function begun(): Step {
  const step = stepOf();
  if (!step) throw new Error('There is no playground/ yet. Make it: npx workshop begin 01');
  return step;
}

function printPlayground(step: Step | undefined, what: string, saved: string | undefined): void {
  console.log(`playground/ ${what}`);
  if (saved) console.log(`The one before is playground.saved/${saved}: npx workshop begin --restore brings it back.`);
  const isInOld = typedIn.startsWith(playground);
  if (isInOld) console.log('Your terminal is still in the one before. The next line takes it to the new one.');
  const folder = isInOld ? playground : relative(typedIn, playground);
  console.log(`\nNext:\n  cd ${/^[\w./\\:-]+$/.test(folder) ? folder : `"${folder}"`}`);
  if (!step) return;
  console.log(`  open README.md there and do what it says (the same is in steps/${step.name}/README.md)`);
  console.log('  npx workshop check --watch   checks your work whenever you save');
}

async function printSaved(): Promise<void> {
  const saved = await listSaved();
  for (const { name, step } of saved) console.log(`${name}  ${step ? `step ${step.number}` : ''}`);
  if (saved.length === 0) console.log('Nothing is kept yet: begin keeps what is in playground/.');
}

function examples(...lines: [command: string, does: string][]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  return `\nExamples:\n${lines.map(([command, does]) => `  ${command.padEnd(width)}   ${does}`).join('\n')}`;
}
