import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

type Locked = {
  version: string;
  resolved?: string;
  link?: true;
  integrity?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};

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

test('the lockfile names no registry, and no address', () => {
  const addresses = packages.filter(([, { resolved, link }]) => resolved && !link);
  expect(addresses.map(([path]) => path)).toEqual([]);
  // A link is to a folder of the workshop.
  const links = packages.flatMap(([, { resolved, link }]) => (link ? String(resolved) : []));
  expect(links.filter((folder) => !/^(steps|shared|tools)\/[\w-]+$/.test(folder))).toEqual([]);
});

test('every package comes from a registry, and its contents are locked', () => {
  const installed = packages.filter(([path, { link }]) => path.includes('node_modules/') && !link);
  expect(installed.length).toBeGreaterThan(400);
  const unlocked = installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'));
  expect(unlocked.map(([path]) => path)).toEqual([]);

  // git, a file or an address in place of a version, in a package.json of ours or of a package.
  const elsewhere = packages.flatMap(([path, { dependencies, devDependencies, optionalDependencies }]) =>
    Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter(([, version]) => /[:/]/.test(version) && !version.startsWith('npm:'))
      .map(([name, version]) => `${path || 'package.json'}: ${name} ${version}`),
  );
  expect(elsewhere).toEqual(['package.json: @workshop/node24 file:tools/node24']);
});
