// Loaded with --import before all else. JavaScript: a Node that cannot run TypeScript shall say so in one line.
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { advice, isEnough } from './node-version.mjs';

if (!isEnough) {
  console.error(advice);
  process.exit(1);
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
// What Node compiles once is compiled for the next start too, and for the programs that this one starts.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/node');
enableCompileCache(process.env.NODE_COMPILE_CACHE);

// Settings of the command line first: loadEnvFile keeps what is set already. TypeScript, hence imported only here.
const { backendProblems, takeSettings } = await import('./settings.ts');
takeSettings(process.argv, process.env);

// Then those of the repository's .env, if there is one.
const file = process.env.WORKSHOP_ENV_FILE ?? join(root, '.env');
if (existsSync(file)) process.loadEnvFile(file);

const { otlpProblems } = await import('./otlp-settings.ts');
const problems = [...otlpProblems(process.env), ...backendProblems(process.env)];
if (problems.length > 0) {
  console.error(`Settings (environment or .env): ${problems.join('; ')}.`);
  process.exit(1);
}
