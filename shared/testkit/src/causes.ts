// Why a lesson's test fails: found from facts, never guessed. What every step shares is here, the rest in its test/causes.ts.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import type { Failure } from '@workshop/lessons/state';
import { execa } from 'execa';

/** What is known when a test has failed. */
export type Facts = {
  /** The test's name, and what it saw. */
  test: string;
  seen: string;
  /** What the program wrote, and how it ended: undefined while it runs, or when a signal ended it. */
  stdout: string;
  stderr: string;
  exitCode: number | undefined;
  /** A file of the step without its comments, `src/telemetry.ts`; empty when it is missing. */
  source: (file: string) => string;
};

export type Cause = {
  when: (facts: Facts) => unknown;
  /** What is wrong and what to do about it. */
  say: string | ((facts: Facts) => string);
  /** The file to look at, and what stands in its line: the first pattern that is found there. */
  at?: readonly [file: string, ...lines: RegExp[]];
};

type Finding = NonNullable<Failure['cause']>;

/** The names that TypeScript does not know, as its error codes: what is mistyped runs, and does nothing. */
const UNKNOWN_NAMES = /error TS(2304|2305|2307|2339|2353|2551|2552|2561|2613|2614|2724|2739|2741): /;
const TYPESCRIPT =
  '--ignoreConfig --noEmit --pretty false --target esnext --lib esnext --module nodenext --types node --strict ' +
  '--verbatimModuleSyntax --allowImportingTsExtensions --skipLibCheck';

const TELEMETRY = 'src/telemetry.ts';
const LLM = 'src/llm.ts';

/** What goes wrong in every step. */
const common: Cause[] = [
  {
    when: ({ source }) => !source(TELEMETRY).includes('new NodeSDK'),
    say: 'there is no NodeSDK yet. Make one here, and start it.',
    at: [TELEMETRY],
  },
  {
    when: ({ source }) => !source(TELEMETRY).includes('sdk.start()'),
    say: 'sdk.start() is missing. Without it the SDK records nothing.',
    at: [TELEMETRY, /new NodeSDK/],
  },
  {
    when: ({ source }) => !/start(Active)?Span\(/.test(source(LLM)),
    say: 'nothing makes a span. Call tracer.startActiveSpan around the call to the model.',
    at: [LLM, /llm\.ask/],
  },
  {
    when: ({ source }) => !source(LLM).includes('span.end()'),
    say: 'span.end() is missing. A span is exported when it ends, never before. Call it in finally.',
    at: [LLM, /finally/, /startActiveSpan/],
  },
  {
    when: ({ test, source }) => /fail/.test(test) && /\bcatch\b/.test(source(LLM)) && !/\bthrow\b/.test(source(LLM)),
    say: 'the error is not thrown on. Whoever called must learn of it: end catch with throw.',
    at: [LLM, /catch/, /startActiveSpan/],
  },
  {
    when: ({ source }) => !/spanProcessors:\s*\[\s*new/.test(source(TELEMETRY)),
    say: 'no processor in spanProcessors. A processor hands the spans to an exporter.',
    at: [TELEMETRY, /spanProcessors/, /new NodeSDK/],
  },
];

/** The likeliest cause of a failure in the step in `dir`: the first row whose facts fit. Undefined when none fits. */
export async function likelyCause(dir: string, facts: Facts, causes: readonly Cause[]): Promise<Finding | undefined> {
  const error = crash(facts);
  const ownLine = error && ownPlace(dir, facts);
  if (ownLine) return { say: error, at: ownLine };
  const unknown = await unknownName(dir);
  if (unknown) return unknown;
  const cause = [...common, ...causes].find(({ when }) => when(facts));
  if (!cause) return error ? { say: error } : undefined;
  const say = typeof cause.say === 'string' ? cause.say : cause.say(facts);
  return cause.at ? { say, at: await place(dir, ...cause.at) } : { say };
}

/** Reads the files that an attendee works on. */
export async function readSources(dir: string): Promise<Facts['source']> {
  const names = (await readdir(dir, { recursive: true })).filter((name) => /^src[/\\].+\.ts$|^\w+\.ya?ml$/.test(name));
  const texts = await Promise.all(names.map((name) => readFile(join(dir, name), 'utf8')));
  const sources = new Map(names.map((name, i) => [name.replaceAll('\\', '/'), withoutComments(String(texts[i]))]));
  return (file) => sources.get(file) ?? '';
}

/** An error that ended the program. */
function crash({ stdout, stderr }: Facts): string | undefined {
  return /^\w*Error\b.*:.*$/m.exec(ownWords(`${stderr}\n${stdout}`))?.[0];
}

/** The line that the stack of an error names first, if it is the attendee's and not the workshop's. */
function ownPlace(dir: string, { stdout, stderr }: Facts): string | undefined {
  const text = ownWords(`${stderr}\n${stdout}`).replaceAll(pathToFileURL(dir).href, dir).replaceAll('\\', '/');
  const found = /([\w.-]+\.ts)(?::(\d+))?/.exec(text);
  const own = `${dir.replaceAll('\\', '/')}/src/`;
  if (!found || !text.slice(0, found.index).endsWith(own)) return undefined;
  const [, file, line] = found;
  return line ? `src/${file}:${line}` : `src/${file}`;
}

/** Without colours, and without the names of services that `npm start` puts before their lines. */
function ownWords(text: string): string {
  return stripVTControlCharacters(text).replace(/^\w+ +\| /gm, '');
}

/** The first name in src/ that TypeScript does not know. */
export async function unknownName(dir: string): Promise<Finding | undefined> {
  const files = (await readdir(join(dir, 'src'))).filter((name) => name.endsWith('.ts')).map((name) => `src/${name}`);
  const { stdout } = await execa('tsc', [...TYPESCRIPT.split(' '), ...files], {
    cwd: dir,
    preferLocal: true,
    reject: false,
  });
  // Not of a file, but of the compiler: it has looked at nothing.
  if (/^error TS/m.test(stdout)) throw new Error(stdout);
  const first = stdout.split('\n').find((line) => UNKNOWN_NAMES.test(line)) ?? '';
  const [, file, line, message] = /^(src\/[^(]+)\((\d+),\d+\): error TS\d+: (.*)$/.exec(first) ?? [];
  return message ? { say: message, at: `${file}:${line}` } : undefined;
}

async function place(dir: string, file: string, ...patterns: RegExp[]): Promise<string> {
  const text = await readFile(join(dir, file), 'utf8').catch(() => undefined);
  if (text === undefined) return `${file}, which is missing`;
  const lines = text.split('\n');
  const found = patterns.map((pattern) => lines.findIndex((line) => pattern.test(line))).find((i) => i >= 0);
  return found === undefined ? file : `${file}:${found + 1}`;
}

function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\/|#|\*|\/\*).*$|\s(\/\/|#) .*$/gm, '');
}
