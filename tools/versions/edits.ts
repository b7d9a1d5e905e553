/** The files of the repository in which versions stand: path from its root, and text. */
export type Files = Map<string, string>;

/** A name, such as `execa` or `prom/prometheus`, the versions that stand behind it now, and the one that is to. */
export type Raise = { name: string; from: string[]; to: string };

/** A line of a file, before and after. Lines count from 1. */
export type Edit = { path: string; line: number; before: string; after: string };

/** Names of the same thing that other files use. */
const ALIASES: Record<string, string[]> = {
  '@opentelemetry/core': ['telemetry.sdk.version'],
  'otel/opentelemetry-collector-contrib': ['Collector Builder', 'workshop.local/collector'],
};

const VERSION = String.raw`\d+\.\d+\.\d+(?:-[\w.-]*\w)?`;
/** What stands between a name and its version, also from one line to the next, as in `repository: x` and `tag: 1.0.0`. */
const BETWEEN = String.raw`(?:["'\`:@,=#\s]|\bversion\b|\btag\b)+v?`;
const END = String.raw`(?![\w+-]|\.\w)`;

/** The versions that stand behind `name` where a person chose them: in each package.json, README and compose.yaml. */
export function versionsOf(files: Files, name: string): string[] {
  const found = new RegExp(`${pattern(name)}(${VERSION})${END}`, 'g');
  const versions = [...files]
    .filter(([path]) => /(^|\/)(package\.json|README\.md|compose\.yaml)$/.test(path))
    .flatMap(([, text]) => [...text.matchAll(found)].map(([, version = '']) => version));
  return [...new Set(versions)];
}

/** The files with the new versions, those alone that change. Whether a version has a `v` before it stays as it is. */
export function raiseIn(files: Files, raises: Raise[]): Files {
  const changed: Files = new Map();
  for (const [path, before] of files) {
    const after = raises.reduce(replaceIn, before);
    if (after !== before) changed.set(path, after);
  }
  return changed;
}

function replaceIn(text: string, { name, from, to }: Raise): string {
  const names = [name, ...(ALIASES[name] ?? [])].map(pattern).join('|');
  return text.replace(new RegExp(`(${names})(?:${from.map(RegExp.escape).join('|')})${END}`, 'g'), `$1${to}`);
}

function pattern(name: string): string {
  return String.raw`(?<![\w@./-])${RegExp.escape(name)}${BETWEEN}`;
}

/** The lines that differ between the files and what takes their place. */
export function editsOf(files: Files, changed: Files): Edit[] {
  return [...changed].flatMap(([path, text]) => {
    const lines = text.split('\n');
    return (files.get(path) ?? '').split('\n').flatMap((before, index) => {
      const after = lines[index] ?? '';
      return after === before ? [] : [{ path, line: index + 1, before, after }];
    });
  });
}

/**
 * The lines of documents, settings and source that still hold an old version without its name, or of an image the first two
 * numbers of it: a person has to read them.
 */
export function leftovers(files: Files, raises: Raise[]): { path: string; line: number; text: string }[] {
  const old = raises.flatMap(({ name, from }) =>
    from.flatMap((version) => [version, ...(name.includes('/') && !name.startsWith('@') ? [minor(version)] : [])]),
  );
  const held = new RegExp(String.raw`(?<![\w@.":-])v?(?:${old.map(RegExp.escape).join('|')})(?![\w+-]|\.\d)`);
  return [...files]
    .filter(([path]) => /\.(md|ya?ml|ts)$|\/build$/.test(path))
    .flatMap(([path, text]) => text.split('\n').map((text, index) => ({ path, line: index + 1, text })))
    .filter(({ text }) => held.test(text));
}

function minor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
