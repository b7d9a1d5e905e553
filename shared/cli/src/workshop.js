#!/usr/bin/env node
// JavaScript: a Node that cannot run TypeScript is told so by @workshop/runtime/env, in one line.
import '@workshop/runtime/env';

await import('./program.ts');
