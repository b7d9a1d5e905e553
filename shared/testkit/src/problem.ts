import { beforeEach, inject } from 'vitest';

// A throw in globalSetup would be reported as "No test files found".
beforeEach(() => {
  const { problem } = inject('backends');
  if (!problem) return;
  const error = new Error(problem);
  error.stack = problem;
  throw error;
});
