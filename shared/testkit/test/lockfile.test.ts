import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

type Locked = { version: string; resolved?: string; link?: true; optionalDependencies?: Record<string, string> };

const root = join(import.meta.dirname, '..', '..', '..');
const lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
const packages: [path: string, Locked][] = Object.entries(lockfile.packages);

test('there is one copy of every OpenTelemetry package', () => {
  const copies = packages.map(([path]) => path).filter((path) => /node_modules\/@opentelemetry\/[^/]+$/.test(path));
  expect(copies.length).toBeGreaterThan(10);
  const nested = copies.filter((path) => path.lastIndexOf('node_modules/') > 0);
  // propagator-jaeger stopped at 2.x and brings the core of its time.
  expect(nested.filter((path) => !path.includes('propagator-jaeger/node_modules'))).toEqual([]);
});

test('the binaries of all platforms are locked, not only of the one that the lockfile was made on', () => {
  const names = new Set(packages.map(([path]) => path.split('node_modules/').at(-1)));
  const wanted = packages.flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies));
  expect(wanted.length).toBeGreaterThan(20);
  expect(wanted.filter((name) => !names.has(name))).toEqual([]);
});

test('the lockfile names no registry', () => {
  const addresses = packages.filter(([, { resolved, link }]) => resolved && !link);
  expect(addresses.map(([path]) => path)).toEqual([]);
});
