import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { STATE } from '@workshop/lessons/state';
import { root } from '@workshop/lessons/steps';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { checkReporter } from './check.ts';
import { summaryReporter } from './summary.ts';

/** The folder where the root's `npm test` wants the results. What the tests start is no part of them. */
const results = process.env.WORKSHOP_RESULTS;
delete process.env.WORKSHOP_RESULTS;

// As @workshop/runtime/env has it: what Node compiles once serves all that the tests start.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/node');

/** Whether it is an attendee's own work that is tested: a folder that `workshop begin` has made. */
const isPlayground = existsSync(STATE);
/** Whether `workshop check --json` asks. */
const json = process.env.WORKSHOP_CHECK === 'json';

/** The vitest configuration of every workspace: test/*.test.ts, or with `--mode slow` test/*.slow.test.ts. */
export default defineConfig(({ mode }) => ({ test: options(mode) }));

/** That of a step: the files of its lesson in `order`. Its backends, if it has any, are started once, before its tests. */
export function lesson(...order: string[]) {
  const backends = existsSync('compose.yaml') ? ['setup.ts'] : [];
  return defineConfig(({ mode }) => ({
    test: {
      ...options(mode),
      globalSetup: backends.map(at),
      setupFiles: [...backends.map(() => at('problem.ts')), ...(isPlayground ? [at('explain.ts')] : [])],
      sequence: { sequencer: inOrder(order) },
      // `npm run prove` proves that it is true of these, and of no other.
      tags: [{ name: 'holds-before', description: 'passes on what the attendee begins with, too' }],
      // What the apps and the backends read is imported by no test.
      watchTriggerPatterns: [
        { pattern: /\/(src\/[^/]+\.ts|[^/]+\.ya?ml)$/, testsToRun: () => order.map((name) => `test/${name}.test.ts`) },
      ],
      // One trouble at a time.
      ...(isPlayground && { bail: 1, reporters: [checkReporter(json)] }),
    },
  }));
}

function inOrder(order: string[]) {
  const place = ({ moduleId }: TestSpecification) => order.indexOf(basename(moduleId, '.test.ts'));
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]) {
      return files.toSorted((one, other) => place(one) - place(other));
    }
  };
}

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

function at(file: string): string {
  return join(import.meta.dirname, file);
}
