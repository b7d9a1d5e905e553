import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { summaryReporter } from './summary.ts';

/** The folder where the root's `npm test` wants the results. What the tests start is no part of them. */
const results = process.env.WORKSHOP_RESULTS;
delete process.env.WORKSHOP_RESULTS;

/** The vitest configuration of every workspace: test/*.test.ts, or with `--mode slow` test/*.slow.test.ts. */
export default defineConfig(({ mode }) => ({ test: options(mode) }));

/** The same for a step with backends: they are started once, before its tests. */
export const withBackends = defineConfig(({ mode }) => ({
  test: {
    ...options(mode),
    globalSetup: join(import.meta.dirname, 'setup.ts'),
    setupFiles: join(import.meta.dirname, 'problem.ts'),
  },
}));

function options(mode: string): NonNullable<ViteUserConfig['test']> {
  const slow = 'test/**/*.slow.test.ts';
  return {
    ...(mode === 'slow' ? { include: [slow] } : { include: ['test/**/*.test.ts'], exclude: [slow] }),
    // The default reporter hides the reasons of skips.
    reporters: ['verbose', ...(results ? [summaryReporter(results)] : [])],
    testTimeout: mode === 'slow' ? 180_000 : 30_000,
    fileParallelism: false,
  };
}
