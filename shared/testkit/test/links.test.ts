import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');
const pages = await Array.fromAsync(glob(['*.md', 'steps/*/*.md', '.ci/images/*.md'], { cwd: root }));

test.each(pages)('the links of %s lead somewhere, those to a line of code to what they name', async (page) => {
  const markdown = await readFile(join(root, page), 'utf8');
  for (const [link, label, path, line] of markdown.matchAll(/\[([^\]]+)\]\((?!https?:)([^)#]*)(?:#L(\d+))?[^)]*\)/g)) {
    const target = join(root, dirname(page), String(path));
    expect(existsSync(target), `${link} in ${page}`).toBe(true);
    if (!line) continue;
    const code = (await readFile(target, 'utf8')).split('\n')[Number(line) - 1];
    expect(code, `${link} in ${page}`).toContain(label?.replaceAll('`', ''));
  }
});
