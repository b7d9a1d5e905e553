import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { stepDir } from './app.ts';
import { drawWaterfall, rowsIn } from './waterfall.ts';

/** Whether `npm run pictures` asks: then the pictures are made anew. */
const making = process.env.WORKSHOP_PICTURES === 'make';
const folder = join(stepDir, 'pictures');

/** Expects that the step's picture `name` shows the tree of these spans. */
export async function expectWaterfall(name: string, spans: Parameters<typeof drawWaterfall>[0]): Promise<void> {
  const drawn = drawWaterfall(spans);
  if (making) return write(name, drawn);
  const rows = rowsIn(await readFile(join(folder, name), 'utf8'));
  expect(rows, `The rows of pictures/${name}, beside what landed. npm run pictures draws it anew`).toEqual(
    rowsIn(drawn),
  );
}

/** Takes the step's picture `name` of what is on the page, if pictures are made: that it can be seen is tested before. */
export async function takePicture(name: string, page: Page | Locator): Promise<void> {
  if (making) await write(name, await page.screenshot());
}

async function write(name: string, picture: string | Buffer): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), picture);
}
