import { parseArgs } from 'node:util';

/** What the command line names, options aside. Ends the program: with --help it prints `help`; unknown options are wrong usage. */
export function readArguments(help: string): string[] {
  try {
    const { values, positionals } = parseArgs({
      options: { help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    if (!values.help) return positionals;
  } catch (error) {
    wrongUsage(error instanceof Error ? error.message : String(error), help);
  }
  console.log(help);
  process.exit(0);
}

/** Says what is wrong and what would be right, and ends the program with 2. */
export function wrongUsage(message: string, help: string): never {
  console.error(`${message}\n\n${help}`);
  process.exit(2);
}
