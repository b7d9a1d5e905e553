import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { type Files, type Raise, versionsOf } from './edits.ts';

type Recipe = { folder: string; module: string; versionOf: (major: number, minor: number, patch: number) => string };

/** The images that .ci/images makes of one Go module, and the module's version for the image's. */
const RECIPES: Record<string, Recipe> = {
  'jaegertracing/jaeger': {
    folder: '.ci/images/jaeger',
    module: 'github.com/jaegertracing/jaeger',
    // Version 2 is not a Go module: the same release is 1.76 for 2.13.
    versionOf: (major, minor, patch) => `${major - 1}.${minor + 63}.${patch}`,
  },
  'prom/prometheus': {
    folder: '.ci/images/prometheus',
    module: 'github.com/prometheus/prometheus',
    versionOf: (major, minor, patch) => `0.${major * 100 + minor}.${patch}`,
  },
  'victoriametrics/victoria-logs': {
    folder: '.ci/images/victorialogs',
    module: 'github.com/VictoriaMetrics/VictoriaLogs',
    versionOf: (...version) => version.join('.'),
  },
};
const COLLECTOR = 'otel/opentelemetry-collector-contrib';
const BUILDER = '.ci/images/collector/builder.yaml';

/** Whether a compose.yaml of the repository starts this image. */
export function isImage(files: Files, name: string): boolean {
  return [...files].some(([path, text]) => path.endsWith('compose.yaml') && text.includes(`image: ${name}:`));
}

/** All images of the repository, with their versions. */
export function imagesIn(files: Files): { name: string; version: string }[] {
  const composed = [...files].filter(([path]) => path.endsWith('compose.yaml')).map(([, text]) => text);
  const names = composed.flatMap((text) => [...text.matchAll(/image: (\S+):\S+/g)].map(([, name = '']) => name));
  return [...new Set(names)].map((name) => ({ name, version: versionsOf(files, name).join(', ') }));
}

/** The Go modules that `.ci/images` compiles in an image's place, and their versions. */
export function modulesOf(files: Files, { name, from, to }: Raise): Raise[] {
  const recipe = RECIPES[name];
  if (recipe) {
    const version = (tag: string) => recipe.versionOf(...numbersOf(tag));
    return [{ name: recipe.module, from: from.map(version), to: version(to) }];
  }
  if (name !== COLLECTOR) return [];
  // What is stable of the Collector is 1.67 in the release 0.161.
  const [, minor, patch] = numbersOf(to);
  return [...(files.get(BUILDER) ?? '').matchAll(/gomod: (\S+) v(\S+)/g)].map(([, module = '', version = '']) => {
    return { name: module, from: [version], to: version.startsWith('0.') ? to : `1.${minor - 94}.${patch}` };
  });
}

function numbersOf(version: string): [number, number, number] {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  return [major, minor, patch];
}

/**
 * Asks Go whether the modules have these versions, and lets it make `go.mod` and `go.sum` anew where an image has them.
 * Returns those files. Throws an Error with one line where Go, the network or a version is missing.
 */
export async function makeModules(root: string, image: Raise, modules: Raise[]): Promise<Files> {
  const dir = await mkdtemp(join(tmpdir(), 'workshop modules '));
  const wanted = modules.map(({ name, to }) => `${name}@v${to}`);
  const made: Files = new Map();
  try {
    const recipe = RECIPES[image.name];
    if (!recipe) {
      await go(['list', '-m', ...wanted], dir);
      return made;
    }
    await cp(join(root, recipe.folder), dir, { recursive: true });
    await go(['get', ...wanted], dir);
    await go(['mod', 'tidy'], dir);
    for (const name of ['go.mod', 'go.sum']) {
      made.set(`${recipe.folder}/${name}`, await readFile(join(dir, name), 'utf8'));
    }
    return made;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function go(args: string[], cwd: string): Promise<void> {
  const env = { GOFLAGS: '-mod=mod', GOWORK: 'off' };
  const { exitCode, code, stderr } = await execa('go', args, { cwd, env, reject: false });
  if (code === 'ENOENT') throw new Error('.ci/images makes this image of Go modules, and Go is not here.');
  if (exitCode === 0) return;
  const said = String(stderr)
    .split('\n')
    .filter((line) => !/^go: downloading /.test(line));
  throw new Error(`go ${args[0]} failed: ${said.slice(0, 2).join(' ').replaceAll(cwd, basename(cwd))}`);
}
