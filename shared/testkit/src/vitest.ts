import { defineConfig } from 'vitest/config';

/** The vitest configuration of every workspace. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.slow.test.ts'],
    // The default reporter hides the reasons of skips.
    reporters: ['verbose'],
    testTimeout: 30_000,
    fileParallelism: false,
  },
});
