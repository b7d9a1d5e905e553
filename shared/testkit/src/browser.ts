import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const executablePath = [
  process.env.CHROMIUM_PATH ?? '',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
].find(existsSync);

/** Whether there is a Chromium or a Chrome to open pages with: CHROMIUM_PATH names one. */
export const canUseBrowser = executablePath !== undefined;

/** Opens a page in a headless browser that calls nobody; `more` are further arguments of it. */
export async function openPage(url: string, ...more: string[]) {
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const args = ['--no-sandbox', ...quiet, ...more];
  const browser = await chromium.launch({ executablePath: String(executablePath), args });
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  return Object.assign(page, { [Symbol.asyncDispose]: () => browser.close() });
}
