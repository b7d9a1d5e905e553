import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findStep, root, steps } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { parse } from 'yaml';
import { type Check, codeSpans, type Document, type Problem } from './document.ts';

type Command = { line: number; words: string[]; near: string };

const SHELLS = ['sh', 'bash'];

/** The commands of Docker Compose that the documents use, and their options. */
const COMPOSE: Record<string, string[]> = {
  kill: [],
  logs: [],
  ps: [],
  restart: [],
  run: ['--rm', '--entrypoint', '-v'],
  start: [],
  stop: [],
  up: ['-d', '--remove-orphans', '--scale', '--force-recreate'],
};

/** Every command of the workshop, of npm, Compose and Node exists, with its options. */
export const commandsExist: Check = async (document) => {
  const problems: Problem[] = [];
  for (const { line, words, near } of commandsIn(document)) {
    const says = await problemOf(words, document, near);
    if (says) problems.push({ line, says: `\`${words.join(' ')}\`: ${says}` });
  }
  return problems;
};

/** The commands of the shell's fences, and those between backticks. `near` is the text that each stands in. */
export function commandsIn(document: Document): Command[] {
  const typed = document.fences
    .filter(({ language }) => SHELLS.includes(language))
    .flatMap((fence) => {
      const near = [fence.lead, ...fence.lines].join('\n');
      return fence.lines.map((code, index) => ({ line: fence.line + index, code, near }));
    });
  const named = codeSpans(document).map(({ line, code }) => {
    return { line, code, near: document.lines.find(({ number }) => number === line)?.text ?? '' };
  });
  return [...typed, ...named].flatMap(({ line, code, near }) => split(code).map((words) => ({ line, words, near })));
}

/** A line of a shell as its commands, and each of them as its words. Without variables that it sets, and redirections. */
function split(code: string): string[][] {
  const words = code.replace(/(^|\s)#\s.*$/, '').match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  const commands: string[][] = [[]];
  for (const word of words) {
    if (/^(&&|\|\|?|;|&)$/.test(word)) commands.push([]);
    else commands.at(-1)?.push(word.replace(/;$/, ''));
    if (/[^;];$/.test(word)) commands.push([]);
  }
  return commands.map((command) => {
    const first = command.findIndex((word) => !/^[A-Z_][A-Z\d_]*=/.test(word));
    const end = command.findIndex((word) => /^\d?[<>]/.test(word));
    return command.slice(Math.max(first, 0), end < 0 ? undefined : end);
  });
}

async function problemOf(words: string[], document: Document, near: string): Promise<string | undefined> {
  const [program, first = '', ...rest] = words;
  if (program === 'npx' && first === 'workshop') return workshopProblem(rest);
  if (program === 'npm') return npmProblem(first, rest, document, near);
  if (program === 'docker' && first === 'compose') return composeProblem(rest, document);
  if (program === 'node' && first === '--import') return filesProblem(rest, document);
  return undefined;
}

async function workshopProblem([command = '', ...args]: string[]): Promise<string | undefined> {
  if (/^(|-h|--help|[A-Z]+)$/.test(command)) return undefined;
  const commands = [...(await help()).matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
  if (!commands.includes(command)) return `there is no command ${command}; there are ${commands.join(', ')}.`;
  const flags = (await help(command)).match(/(?<!\w)--?[a-z]+/g) ?? [];
  const takesSettings = ['start', 'ask'].includes(command);
  const step = args.find((arg) => /^\d+$/.test(arg) && !findStep(arg));
  if (step) return `there is no step ${step}.`;
  return optionsProblem(args, takesSettings ? [...flags, '--set'] : flags);
}

/** What `--set` can set, as the program's help lists it. */
const settable = execa('npm', ['start', '--silent', '--', '--help'], { cwd: steps[0]?.dir ?? root }).then(
  ({ stdout }) => [...stdout.matchAll(/^ {2}([A-Z\d_]+)$/gm)].map(([, name = '']) => name),
);

const helps = new Map<string, Promise<string>>();

/** What the `workshop` command says about itself, or about one of its commands. */
function help(...command: string[]): Promise<string> {
  const key = command.join(' ');
  const said =
    helps.get(key) ?? execa('workshop', [...command, '--help'], { preferLocal: true }).then((run) => run.stdout);
  helps.set(key, said);
  return said;
}

async function optionsProblem(args: string[], known: string[]): Promise<string | undefined> {
  for (const [index, arg] of args.entries()) {
    const [option = ''] = arg.split('=');
    if (!option.startsWith('-') || option === '--') continue;
    if (!known.includes(option)) return `it has no option ${option}.`;
    const name = option === '--set' && /^\w+/.exec(args[index + 1] ?? '')?.[0];
    if (name && name !== 'NAME' && !(await settable).includes(name)) return `--set cannot set ${name}.`;
  }
  return undefined;
}

async function npmProblem(
  command: string,
  args: string[],
  { step }: Document,
  near: string,
): Promise<string | undefined> {
  const script = command === 'run' ? args[0] : command;
  if (!script || !['run', 'start', 'test'].includes(command) || script === 'NAME') return undefined;
  const elsewhere = step ? [root] : steps.map(({ dir }) => dir);
  if (!hasScript(step?.dir ?? root, script)) {
    if (!elsewhere.some((dir) => hasScript(dir, script))) return `no package.json has a script ${script}.`;
    if (step && !/\broot\b/.test(near)) return `only the root has a script ${script}: say so.`;
  }
  if (command !== 'start') return undefined;
  return optionsProblem(args, ['--', '--silent', '--set', '--help']);
}

function hasScript(dir: string, script: string): boolean {
  return script in (JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).scripts ?? {});
}

async function composeProblem([command = '', ...args]: string[], { step, dir }: Document): Promise<string | undefined> {
  const known = COMPOSE[command];
  if (!command) return undefined;
  if (!known) return `of Compose the documents use ${Object.keys(COMPOSE).join(', ')}.`;
  const own = join(dir, 'compose.yaml');
  const file = existsSync(own) ? own : join((step ?? steps.at(-1))?.dir ?? '', 'compose.yaml');
  const services = existsSync(file) ? Object.keys(parse(readFileSync(file, 'utf8')).services) : [];
  const inContainer = ['run', 'exec'].includes(command);
  const service = args.findIndex((arg) => services.includes(arg));
  if (inContainer && service < 0) return 'it names no service of compose.yaml.';
  const named = args.map((arg) => arg.split('=')[0] ?? ''); // --scale gateway=3
  const unknown = named.find((arg) => /^[a-z]/.test(arg) && !services.includes(arg));
  if (!inContainer && unknown) return `compose.yaml has no service ${unknown}.`;
  return optionsProblem(inContainer ? args.slice(0, service) : args, known);
}

function filesProblem(words: string[], { dir, fences }: Document): string | undefined {
  const written = fences.map(({ lines }) => /^\/\/ (\S+)$/.exec(lines[0] ?? '')?.[1]);
  const missing = words
    .filter((word) => /^[\w./-]+\.[jt]s$/.test(word))
    .find((word) => !written.includes(word.replace('./', '')) && !existsSync(join(dir, word)));
  return missing && `there is no ${missing}.`;
}
