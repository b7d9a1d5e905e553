import { glob, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');
const MOST_BYTES = 1_000_000;
const pictures = await Array.fromAsync(glob('steps/*/pictures/*', { cwd: root }));

test('all pictures together are small: everybody downloads them', async () => {
  const sizes = await Promise.all(pictures.map(async (picture) => (await stat(join(root, picture))).size));
  expect(pictures).not.toEqual([]);
  expect(
    sizes.reduce((sum, size) => sum + size, 0),
    'Bytes of all pictures',
  ).toBeLessThan(MOST_BYTES);
});

test.each(pictures)('%s is shown in the README of its step', async (picture) => {
  const readme = await readFile(join(root, dirname(picture), '..', 'README.md'), 'utf8');
  expect(readme).toContain(`](pictures/${basename(picture)})`);
});
