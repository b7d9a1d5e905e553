import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../steps');

/** Name and path of the steps that hold `file`, in order. */
export async function stepsWith(file: string): Promise<{ name: string; path: string }[]> {
  const names = (await readdir(folder)).sort();
  return names.map((name) => ({ name, path: join(folder, name) })).filter(({ path }) => existsSync(join(path, file)));
}
