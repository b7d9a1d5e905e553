import { existsSync } from 'node:fs';
import { glob, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

type Locked = { license?: string; link?: true; hasInstallScript?: true };

const root = join(import.meta.dirname, '..', '..', '..');
const lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
const { allowScripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
/** What npm installs from a registry, by its path. */
const packages = Object.entries<Locked>(lockfile.packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
);
const recipes = await Array.fromAsync(glob('.ci/images/*/{go.mod,builder.yaml}', { cwd: root }));

/** Licences by their SPDX identifiers. All let you use, change and pass on the package, in a product too. */
const ALLOWED = [
  ...['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense', 'Zlib'],
  'MPL-2.0', // who changes its files must publish them: lightningcss, for vitest, which nobody changes here
];

/** How the texts of Apache-2.0, MIT, the BSD licences, MPL-2.0 and ISC are known. */
const GO_LICENCES = [
  /Apache License,? Version 2/i,
  /Permission is hereby granted, free of charge/i,
  /Redistribution and use in source and binary forms/i,
  /Mozilla Public License,? (version|v\.) ?2/i,
  /Permission to use, copy, modify, and(\/or)? distribute/i,
];

/** Packages whose licence the lockfile does not name, or not by its identifier. Their text was read. */
const READ: Record<string, { file: string; says: string }> = {
  buildcheck: { file: 'LICENSE', says: 'Permission is hereby granted, free of charge' }, // MIT, in an old field
  'cpu-features': { file: 'LICENSE', says: 'Permission is hereby granted, free of charge' },
  'dictionary-en-gb': { file: 'license', says: 'Permission to use, copy, modify, distribute and sell' }, // 'BSD', for words
  ssh2: { file: 'LICENSE', says: 'Permission is hereby granted, free of charge' },
  'svelte-toolbelt': { file: 'LICENSE', says: 'MIT License' }, // no field
};

test('every package has a licence that is allowed', () => {
  const used = new Set(packages.flatMap(([, { license = '' }]) => license.match(/[\w.-]+/g) ?? []));
  const refused = packages
    .filter(([path, { license }]) => !isAllowed(license) && !(nameOf(path) in READ))
    .map(([path, { license = 'no licence' }]) => `${nameOf(path)}: ${license}`);
  expect(refused, 'read the licence; then allow it in packages.test.ts, or do without the package').toEqual([]);
  expect(ALLOWED.filter((licence) => !used.has(licence))).toEqual([]);
});

test.each(Object.entries(READ))('the licence of %s is in its folder', async (name, { file, says }) => {
  const [found] = packages.filter(([path]) => nameOf(path) === name);
  expect(isAllowed(found?.[1].license), 'whether the lockfile says it now').toBe(false);
  expect(await readFile(join(root, String(found?.[0]), file), 'utf8')).toContain(says);
});

test.each([
  ['MIT', true],
  ['(MIT OR GPL-3.0-only)', true],
  ['(MIT AND Zlib)', true],
  ['MIT AND GPL-3.0-only', false],
  ['MIT OR ISC AND GPL-3.0-only', false],
  ['SEE LICENSE IN LICENSE', false],
  [undefined, false],
])('%s is allowed: %s', (license, allowed) => {
  expect(isAllowed(license)).toBe(allowed);
});

test('allowScripts denies each package that has an install script, and no other', async () => {
  const scripted = packages.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path));
  const denied = Object.fromEntries(scripted.map((name) => [name, false]));
  const what = 'try the package without its script; then: npm install-scripts deny NAME, or npm install-scripts prune';
  expect(allowScripts, what).toEqual(denied);
  // npm itself then refuses to install a package whose script is not named there.
  expect(await readFile(join(root, '.npmrc'), 'utf8')).toMatch(/^strict-allow-scripts=true$/m);
});

const npm = /npm\/\S+/.exec(process.env.npm_config_user_agent ?? '')?.[0] ?? '';
test.skipIf(!/^npm\/(11\.(19|[2-9]\d)|1[2-9])/.test(npm))(
  'no install script ran: nothing was compiled (an older npm runs them all)',
  async () => {
    const scripted = `node_modules/{${Object.keys(allowScripts).join(',')}}`;
    const compiled = glob(`${scripted}/{**/*.node,**/build/Makefile,buildcheck.gypi}`, { cwd: root });
    expect(await Array.fromAsync(compiled)).toEqual([]);
  },
);

test('the images are made of no module under the AGPL', async () => {
  expect(recipes).toHaveLength(5);
  for (const recipe of recipes) {
    const text = await readFile(join(root, recipe), 'utf8');
    expect(text.match(/github\.com\/grafana\/(grafana|loki|tempo)\b.*/g), recipe).toBeNull();
  }
});

const goModules = await modulesHere();
test.skipIf(goModules.length === 0)(
  'each Go module of the images has a licence that is allowed (they were not compiled here)',
  { timeout: 30_000 },
  async () => {
    const texts = await Promise.all(goModules.map(licenceText));
    const refused = goModules.filter((_, index) => {
      const text = String(texts[index]);
      return !GO_LICENCES.some((licence) => licence.test(text)) || /GNU (AFFERO|GENERAL|LESSER)/.test(text);
    });
    expect(refused, 'read the licence; then allow it in packages.test.ts, or do without the module').toEqual([]);
  },
);

function nameOf(path: string): string {
  return String(path.split('node_modules/').at(-1));
}

/** Whether one side of an SPDX expression is allowed in all its parts. One with OR and AND needs a reader. */
function isAllowed(license = ''): boolean {
  const sides = license.replace(/^\((.*)\)$/, '$1').split(' OR ');
  if (sides.length > 1 && license.includes(' AND ')) return false;
  return sides.some((side) => side.split(' AND ').every((part) => ALLOWED.includes(part)));
}

/** The folders of the modules that go.mod and builder.yaml name, as far as Go has unpacked them: it may be at it. */
async function modulesHere(): Promise<string[]> {
  const { stdout: cache } = await execa('go', ['env', 'GOMODCACHE'], { reject: false });
  const texts = await Promise.all(recipes.map((recipe) => readFile(join(root, recipe), 'utf8')));
  const folders = texts.flatMap((text) =>
    [...text.matchAll(/^(?:\t|.*gomod: )(\S+) (v\S+)/gm)].map(([, path, version]) => {
      // https://go.dev/ref/mod#module-cache
      const [name, at] = [path, version].map((part) => part?.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`));
      const folder = join(String(cache), `${name}@${at}`);
      const isUnpacked =
        existsSync(folder) && !existsSync(join(String(cache), `cache/download/${name}/@v/${at}.partial`));
      return isUnpacked ? [folder] : [];
    }),
  );
  return [...new Set(folders.flat())];
}

async function licenceText(folder: string): Promise<string> {
  const files = (await readdir(folder, { withFileTypes: true })).filter(
    (entry) => entry.isFile() && /^(licen[cs]e|copying)/i.test(entry.name),
  );
  const texts = await Promise.all(files.map(({ name }) => readFile(join(folder, name), 'utf8')));
  return texts.join('\n').replace(/\s+/g, ' ');
}
