import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Step } from '@workshop/lessons/steps';

/** Becomes a step's app: runs what `npm start` runs in its folder, in this process. */
export async function start(step: Step, args: string[]): Promise<void> {
  process.chdir(step.dir);
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'));
  const [command, ...words] = scripts.start.split(' ') as string[];
  if (command === 'workshop-services') {
    process.argv.splice(1, Infinity, command, ...words, ...args);
    await import('@workshop/runtime/services');
    return;
  }
  // node --import @workshop/runtime/env --import ./src/telemetry.ts src/app.ts
  const modules = words.filter((word) => word !== '--import');
  process.argv.splice(1, Infinity, String(modules.at(-1)), ...args);
  for (const module of modules) await import(module.startsWith('@') ? module : pathToFileURL(resolve(module)).href);
}
