import { expect, test } from 'vitest';
import { readSettings } from '../src/settings.ts';

const provider = { LLM_BASE_URL: 'https://example.com/v1/', LLM_MODEL: 'm' };

test('without settings the embedded model answers, with 30 s to do so', () => {
  expect(readSettings({ LLM_BASE_URL: '', LLM_FAULT: ' ' })).toEqual({ LLM_LATENCY_MS: 0, LLM_TIMEOUT_MS: 30_000 });
});

test('a base URL loses its last slash', () => {
  expect(readSettings(provider).LLM_BASE_URL).toBe('https://example.com/v1');
});

test.each([
  [{ ...provider, LLM_BASE_URL: 'https://me:hunter2@example.com/v1' }, 'LLM_BASE_URL must hold no user name'],
  [{ ...provider, LLM_BASE_URL: 'https://example.com/v1?key=hunter2' }, 'LLM_BASE_URL must hold no user name'],
  [{ ...provider, LLM_BASE_URL: 'https://example.com/v1#hunter2' }, 'LLM_BASE_URL must hold no user name'],
  [{ ...provider, LLM_BASE_URL: 'hunter2' }, 'LLM_BASE_URL must be an address'],
  [{ ...provider, LLM_BASE_URL: 'file:///hunter2' }, 'LLM_BASE_URL must be an address'],
  [{ LLM_BASE_URL: 'https://example.com/v1' }, 'LLM_MODEL must name a model'],
  [{ ...provider, LLM_API_KEY: 'sk-\nhunter2' }, 'LLM_API_KEY must be one line of Latin letters'],
  [{ ...provider, LLM_API_KEY: 'sk-hunter2…' }, 'LLM_API_KEY must be one line of Latin letters'],
  [{ ...provider, LLM_FAULT: 'slow' }, 'LLM_FAULT works with the embedded model only'],
  [{ ...provider, LLM_LATENCY_MS: '20' }, 'LLM_LATENCY_MS works with the embedded model only'],
  [{ LLM_FAULT: 'hunter2' }, 'LLM_FAULT must be one of rate-limit, server-error'],
  [{ LLM_LATENCY_MS: 'hunter2' }, 'LLM_LATENCY_MS must be a number of milliseconds'],
  [{ LLM_LATENCY_MS: '-1' }, 'LLM_LATENCY_MS must not be negative'],
  [{ LLM_LATENCY_MS: '0.5' }, 'LLM_LATENCY_MS must be a whole number'],
  [{ LLM_LATENCY_MS: '1e9' }, 'LLM_LATENCY_MS must be at most 600000'],
  [{ LLM_TIMEOUT_MS: '0' }, 'LLM_TIMEOUT_MS must be at least 1'],
])('%j is refused: %s', (env, message) => {
  expect(() => readSettings(env)).toThrow(message);
  expect(() => readSettings(env)).not.toThrow('hunter2');
});
