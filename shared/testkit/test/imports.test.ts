import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');
const sources = await Array.fromAsync(
  glob('{steps,shared,tools}/*/**/*.{ts,js,mjs}', { cwd: root, exclude: ['**/node_modules/**'] }),
);

test('no package reaches past the exports of another', async () => {
  expect(sources.length).toBeGreaterThan(100);
  const reaching: string[] = [];
  for (const path of sources) {
    const [kind, name] = path.split(/[\\/]/);
    const code = await readFile(join(root, path), 'utf8');
    for (const [, target = ''] of code.matchAll(/(?:from|import) ?\(?'(\.[^']*)'/g)) {
      const reached = relative(join(root, String(kind), String(name)), join(root, dirname(path), target));
      if (reached.startsWith('..')) reaching.push(`${path} imports ${target}`);
    }
  }
  expect(reaching).toEqual([]);
});
