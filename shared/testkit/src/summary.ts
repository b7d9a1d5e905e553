import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';

/** What the tests of a package came to. */
export type Summary = {
  /** Where its backends ran, or that they could not; undefined for a package that needs none. */
  lane?: 'containers' | 'local' | 'none' | undefined;
  passed: number;
  /** Tests, and whatever else made the run fail: a file that does not load, a hook, an error that nobody caught. */
  failed: number;
  /** How many tests were skipped for which reason. */
  skipped: Record<string, number>;
};

/**
 * A vitest reporter that writes a package's Summary to `folder`, in a file named after the package's folder; none when
 * the run was interrupted or has found no tests.
 */
export function summaryReporter(folder: string): Reporter {
  let vitest: Vitest;
  return {
    onInit: (started) => {
      vitest = started;
    },
    onTestRunEnd: (modules, errors, reason) => {
      if (reason === 'interrupted' || modules.length === 0) return;
      const { backends } = vitest.getRootProject().getProvidedContext();
      const lane = backends?.problem ? 'none' : backends?.lane;
      const summary: Summary = { lane, ...count(modules, errors.length) };
      writeFileSync(join(folder, `${basename(vitest.config.root)}.json`), JSON.stringify(summary));
    },
  };
}

function count(modules: readonly TestModule[], errors: number): Omit<Summary, 'lane'> {
  const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const summary: Omit<Summary, 'lane'> = { passed: 0, failed: errors, skipped: {} };
  for (const suite of suites) summary.failed += suite.errors().length;
  for (const test of tests) {
    const { state } = test.result();
    if (state === 'passed') summary.passed += 1;
    if (state === 'failed') summary.failed += 1;
    if (state !== 'skipped') continue;
    const why = reason(test);
    summary.skipped[why] = (summary.skipped[why] ?? 0) + 1;
  }
  return summary;
}

/** Why a test was skipped: what it says itself, or the last parentheses of its name or of its describe's. */
export function reason(test: TestCase): string {
  const result = test.result();
  if (result.state === 'skipped' && result.note) return result.note;
  const skipped = [...describes(test), test].find(({ options }) => options.mode === 'skip');
  // One pair of parentheses may stand in another.
  const [, inParentheses] = skipped?.name.match(/\(((?:[^()]|\([^()]*\))*)\)[^()]*$/) ?? [];
  if (inParentheses) return inParentheses;
  return skipped ? 'no reason given' : 'what it needs has failed';
}

/** The describes around a test, the outermost first. */
function describes({ parent }: TestCase | TestSuite): TestSuite[] {
  return parent.type === 'suite' ? [...describes(parent), parent] : [];
}
