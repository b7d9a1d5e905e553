// `npm run bench`: measures the numbers that the workshop holds itself to. It judges nothing: where a bar is
// missed it prints `over`, and exits with 0.
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { benchCall } from './call.ts';
import { benchCheck } from './check.ts';
import { benchCollector } from './collector.ts';
import { benchPrompt } from './prompt.ts';
import { benchServices } from './services.ts';
import { benchTests } from './tests.ts';

const pieces = {
  check: benchCheck,
  call: benchCall,
  prompt: benchPrompt,
  services: benchServices,
  collector: benchCollector,
  tests: benchTests,
};

const help = `Usage: npm run bench [-- piece ...]

Measures, as ratios to a baseline of the same run, and prints Markdown tables:
  check     how long npx workshop begin, check, check --watch and doctor take
  call      an instrumented call to the model against the bare call
  prompt    how soon npm start prompts and replies, against npm with nothing to run
  services  POST /ask through both services of step 04, with telemetry against without
  collector step 05's Collector: 30,000 spans/s offered; at full speed against the same one that changes nothing
  tests     a step's npm test against docker compose up
Without a piece all of them, about fifteen minutes. Close what else uses the processor.`;

const wanted = readArguments();
console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}`);
try {
  for (const piece of wanted) await pieces[piece]();
} catch (error) {
  console.error(`Not measured: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

type Piece = keyof typeof pieces;

function isPiece(name: string): name is Piece {
  return name in pieces;
}

function readArguments(): Piece[] {
  try {
    const { values, positionals } = parseArgs({
      options: { help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    const names = positionals.length > 0 ? positionals : Object.keys(pieces);
    return names.map((name) => {
      if (!isPiece(name)) throw new Error(`There is no ${name} to measure.`);
      return name;
    });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    process.exit(2);
  }
}
