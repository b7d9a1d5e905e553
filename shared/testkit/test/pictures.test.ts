import { glob, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');
const MOST_BYTES = 1_000_000;

test('all pictures together are small: everybody downloads them', async () => {
  const pictures = await Array.fromAsync(glob('steps/*/pictures/*', { cwd: root }));
  const sizes = await Promise.all(pictures.map(async (picture) => (await stat(join(root, picture))).size));
  expect(pictures).not.toEqual([]);
  expect(
    sizes.reduce((sum, size) => sum + size, 0),
    'Bytes of all pictures',
  ).toBeLessThan(MOST_BYTES);
});
