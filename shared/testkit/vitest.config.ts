import { defineConfig, mergeConfig } from 'vitest/config';
import workspace from './src/vitest.ts';

// What is in tools/ is no workspace: its tests run here.
export default defineConfig((env) =>
  mergeConfig(workspace(env), env.mode === 'slow' ? {} : { test: { include: ['../../tools/*/*.test.ts'] } }),
);
