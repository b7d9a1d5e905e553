// A program for settings.test.ts: prints the settings and the words that it was started with.
const { LLM_FAULT, LLM_MODEL, BACKEND_URL } = process.env;
console.log(JSON.stringify({ env: { LLM_FAULT, LLM_MODEL, BACKEND_URL }, words: process.argv.slice(2) }));
