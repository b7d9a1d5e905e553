import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');

/** Runs the program on the tree's own files: it changes nothing, and asks no registry. */
async function raise(...args: string[]) {
  const { all, exitCode } = await execa(process.execPath, ['tools/versions/raise.ts', ...args, '--dry-run'], {
    cwd: root,
    all: true,
    reject: false,
  });
  const edits = [...all.matchAll(/^(\S+):\d+\n {2}- (.*)\n {2}\+ (.*)$/gm)];
  return { all, exitCode, edits: edits.map(([, path = '', before = '', after = '']) => ({ path, before, after })) };
}

/** The files that the pattern matches and that hold the text, with slashes. */
async function filesWith(pattern: string, text: string): Promise<string[]> {
  const paths = await Array.fromAsync(glob(pattern, { cwd: root, exclude: ['**/node_modules/**', 'playground*/**'] }));
  const texts = await Promise.all(paths.map((path) => readFile(join(root, path), 'utf8')));
  return paths.filter((_, index) => texts[index]?.includes(text)).map((path) => path.replaceAll('\\', '/'));
}

describe.skipIf(!existsSync(join(root, '.git')))('npm run raise (a download without git)', () => {
  test('a package is raised in every package.json and in the commands of the READMEs', async () => {
    const { edits } = await raise('express', '99.0.0');
    const packages = await filesWith('{steps,shared}/*/package.json', '"express"');
    const readmes = await filesWith('steps/*/README.md', ' express@');
    expect(packages.length).toBeGreaterThan(1);
    expect(readmes.length).toBeGreaterThan(0);
    expect(edits.map(({ path }) => path).sort()).toEqual([...packages, ...readmes].sort());
    for (const { after } of edits) expect(after).toMatch(/"express": "99\.0\.0"|\bexpress@99\.0\.0\b/);
  });

  test('an override is raised, and the packages whose names begin or end alike are not', async () => {
    const { edits } = await raise('@opentelemetry/api', '99.0.0');
    expect(edits.filter(({ path }) => path === 'package.json')).toHaveLength(1);
    const changed = edits.map(({ after }) => after.match(/\S*99\.0\.0/g)?.join(' '));
    expect(changed.every((text) => /^("|`?@opentelemetry\/api@)99\.0\.0$/.test(String(text)))).toBe(true);
  });

  test('an image is raised in every compose.yaml, in .ci/images and for Kubernetes, with its prefix and its modules', async () => {
    for (const [image, version] of [
      ['prom/prometheus', 'v99.98.0'],
      ['otel/opentelemetry-collector-contrib', '0.999.0'],
    ] as const) {
      const { edits } = await raise(image, version);
      const files = [
        ...(await filesWith('steps/**/compose.yaml', `image: ${image}:`)),
        ...(await filesWith('steps/**/*-values.yaml', `repository: ${image}\n`)),
        ...(await filesWith('.ci/images/{build,README.md}', `${image}:`)),
      ];
      expect(edits.map(({ path }) => path)).toEqual(expect.arrayContaining(files));
      const compose = edits.filter(({ path }) => path.endsWith('compose.yaml'));
      for (const { after } of compose) expect(after).toContain(`${image}:${version}`);
    }
    const { edits } = await raise('otel/opentelemetry-collector-contrib', '0.999.0');
    const built = edits.filter(({ path }) => path === '.ci/images/collector/builder.yaml');
    const modules = (await readFile(join(root, '.ci/images/collector/builder.yaml'), 'utf8')).match(/gomod: /g) ?? [];
    // Its own version comes first. What is stable has another number.
    expect(built.map(({ after }) => after.split(' ').at(-1))).toEqual([
      '0.999.0',
      ...modules.map(() => expect.stringMatching(/^v(0\.999|1\.905)\.0$/)),
    ]);
  });

  test.each([
    ['a name that stands nowhere', ['left-pad', '1.0.0'], 'left-pad stands in no package.json'],
    ['a range', ['express', '^5.0.0'], '^5.0.0 is not exact'],
    ['a tag without numbers', ['prom/prometheus', 'latest'], 'latest is not exact'],
    ['one of those that move together', ['@opentelemetry/sdk-trace', '9.0.0'], 'Raise @opentelemetry/sdk-node'],
  ])('it is refused in one line: %s', async (_name, args, says) => {
    const { all, exitCode } = await raise(...args);
    expect(all).toContain(says);
    expect(all.split('\n')).toHaveLength(1);
    expect(exitCode).toBe(1);
  });

  test('the version that is there already is refused', async () => {
    const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const { all } = await raise('execa', devDependencies.execa);
    expect(all).toBe(`Nothing was changed. execa is ${devDependencies.execa} already.`);
  });
});
