import { existsSync, readFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { root, steps } from '@workshop/lessons/steps';
import { type Check, codeSpans, type Document, type Fence, type Problem, readDocument } from './document.ts';

/** A link within the project: whether it is a picture, its text, its path, its anchor. */
const LINK = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g;

/** Links lead to a file, a heading, or the line of code that has the word they show. Pictures say what is to be seen. */
export const linksLead: Check = async (document) => {
  const problems: Problem[] = [];
  for (const { number, text } of document.lines) {
    for (const [link, picture, label = '', path = '', anchor] of text.matchAll(LINK)) {
      const says = await linkProblem(document, label, path, anchor);
      if (says) problems.push({ line: number, says: `${link}: ${says}` });
      if (picture && label.split(' ').length < 3) {
        problems.push({ line: number, says: `${link}: say in a few words what the picture shows.` });
      }
    }
  }
  return problems;
};

async function linkProblem({ dir, path: own, lines }: Document, label: string, path: string, anchor?: string) {
  const target = join(dir, path);
  if (!existsSync(target)) return `there is no ${path}.`;
  if (!anchor) return undefined;
  const [, line] = /^L(\d+)$/.exec(anchor) ?? [];
  if (line) {
    const code = (await readFile(target, 'utf8')).split('\n')[Number(line) - 1] ?? '';
    const word = label.replaceAll('`', '');
    return code.includes(word) ? undefined : `line ${line} has no ${word}: ${code.trim() || 'it is empty'}`;
  }
  const there = path ? await readDocument(join(dirname(own), path)) : { lines };
  return anchorsIn(there).includes(anchor) ? undefined : `there is no heading #${anchor}.`;
}

/** The anchors of the headings, as GitHub makes them. */
function anchorsIn({ lines }: Pick<Document, 'lines'>): string[] {
  const names = lines
    .flatMap(({ text }) => /^#{1,6} (.+)$/.exec(text)?.[1] ?? [])
    .map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    );
  return names.map((name, index) => {
    const before = names.slice(0, index).filter((other) => other === name).length;
    return before === 0 ? name : `${name}-${before}`;
  });
}

/** From here on ports are those that a program has asked the system for. They differ from run to run. */
const CHOSEN_BY_THE_SYSTEM = 32_768;

/** Ports are those that compose.yaml publishes and the programs listen on, or those that the document itself sets. */
export const portsAreOpen: Check = (document) => {
  const { dir, step, lines, fences } = document;
  const folders = [dir, ...(step ? [] : steps.map((each) => each.dir))];
  const files = folders.map((folder) => join(folder, 'compose.yaml')).filter(existsSync);
  const published = files.flatMap((file) => numbers(readFileSync(file, 'utf8'), /_PORT-(\d+)\}/g));
  const text = [...lines.map((line) => line.text), ...fences.flatMap((fence) => fence.lines)].join('\n');
  // JAEGER_UI_PORT=26686, OTLP_PORT = 24318 in PowerShell, and what a program of one's own listens on.
  const chosen = numbers(text, /_PORT ?= ?(\d+)|\blisten\((\d+)|\bport: (\d+)/g);
  const models = numbers(readFileSync(join(root, '.env.example'), 'utf8'), /localhost:(\d+)/g);
  const known = new Set([...published, ...listening, ...models, ...chosen].sort((one, other) => one - other));
  return everyLine(document).flatMap(({ number, text: line }) =>
    numbers(line, /(?:localhost|127\.0\.0\.1|(?<=[\s(`"|])):(\d{4,5})\b/g)
      .filter((port) => !known.has(port) && port < CHOSEN_BY_THE_SYSTEM)
      .map((port) => ({ line: number, says: `nothing listens on port ${port}; known are ${[...known].join(', ')}.` })),
  );
};

/** The ports of the programs: the default of a variable, what Prometheus reads, and the receiver without Docker. */
const sources = ['steps/*/src/*.ts', 'shared/runtime/src/*.ts', 'steps/*/prometheus.yml'];
const listening = (await Array.fromAsync(glob(sources, { cwd: root })))
  .flatMap((path) => numbers(readFileSync(join(root, path), 'utf8'), /_PORT \|\| (\d+)|host\.docker\.internal:(\d+)/g))
  .concat(4318);

function numbers(text: string, pattern: RegExp): number[] {
  return [...text.matchAll(pattern)].map((match) => Number(match.slice(1).find(Boolean)));
}

/** All lines of a document, also those of its fences. */
function everyLine({ lines, fences }: Document): { number: number; text: string }[] {
  const code = fences.flatMap((fence) => fence.lines.map((text, index) => ({ number: fence.line + index, text })));
  return [...lines, ...code];
}

/**
 * Code that is shown stands in its file: YAML in the file that the text before it names, TypeScript in the file that a
 * comment in its first line names, what a diff expects in the file that it changes. The diffs of src/ in Do it are
 * applied, one after the other, in shared/cli/test/readme.slow.test.ts.
 */
export const codeIsQuoted: Check = ({ dir, fences }) => {
  const problems: Problem[] = [];
  const added: string[] = [];
  for (const fence of fences) {
    const name = quotedFile(fence, dir);
    if (!name || (fence.section === 'Do it' && name.startsWith('src/'))) continue;
    const source = existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8').split('\n') : [];
    // A diff may go on from one before it.
    const there = new Set([...source, ...added].map((line) => line.trim()));
    for (const [index, line] of fence.lines.entries()) {
      const quoted = fence.language === 'diff' ? (/^[ -](?!-- a\/)(.*)/.exec(line)?.[1] ?? '') : line;
      if (/^\s*(\.\.\.|\/\/ \S+\.ts)?$/.test(quoted) || there.has(quoted.trim())) continue;
      problems.push({ line: fence.line + index, says: `${name} has no line \`${quoted.trim()}\`.` });
    }
    if (fence.language === 'diff')
      added.push(...fence.lines.filter((line) => line[0] === '+').map((line) => line.slice(1)));
  }
  return problems;
};

function quotedFile({ language, lead, lines }: Fence, dir: string): string | undefined {
  if (language === 'diff') return /^--- a\/(\S+)/m.exec(lines.join('\n'))?.[1];
  const text = { yaml: lead, ts: /^\/\/ .*/.exec(lines[0] ?? '')?.[0] }[language];
  return text?.match(/[\w./-]+\.(ya?ml|ts)\b/g)?.findLast((path) => existsSync(join(dir, path)));
}

/** What Node, npm and Docker read, and OpenTelemetry in other languages. */
const OTHERS =
  /^(OTEL_PROPAGATORS|NODE_\w+|HTTPS?_PROXY|NO_PROXY|NO_COLOR|ERR_\w+|CODESPACE_?\w*|GITHUB_\w+|TESTCONTAINERS_\w+)$/;

/** Variables of the environment exist: the source has their names, or OpenTelemetry's. */
export const variablesExist: Check = async (document) => {
  const set = everyLine(document).flatMap(({ number, text }) =>
    [...text.matchAll(/(?<![\w.-])(?:\$env:|\$\{?|export )?([A-Z][A-Z\d]*_[A-Z\d_]+)(?=\s?=[^=>])/g)].map(
      ([, name = '']) => ({ line: number, name }),
    ),
  );
  const named = codeSpans(document)
    .filter(({ code }) => /^[A-Z][A-Z\d]*(_[A-Z\d]+)+$/.test(code))
    .map(({ line, code }) => ({ line, name: code }));
  const known = await source;
  return [...set, ...named]
    .filter(({ name }) => !OTHERS.test(name) && !known.has(name))
    .map(({ line, name }) => ({ line, says: `nothing reads ${name}.` }));
};

const SOURCES = [
  '.ci/run',
  '.ci/images/*',
  '.env.example',
  '.devcontainer/*.json',
  'shared/*/src/*',
  'steps/*/*.{yaml,yml,ts,json}',
  'steps/*/{src,start}/*',
  'tools/*/*.ts',
  'node_modules/@opentelemetry/{sdk-node,sdk-trace,sdk-metrics,sdk-logs,core,otlp-exporter-base,semantic-conventions}/build/src/**/*.js',
];

/** Every word in capitals of the source. */
const source = Array.fromAsync(glob(SOURCES, { cwd: root, withFileTypes: true })).then(async (entries) => {
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return new Set(texts.flatMap((text) => text.match(/\b[A-Z][A-Z\d]*_[A-Z\d_]+\b/g) ?? []));
});
