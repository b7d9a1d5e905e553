import { stepDir } from '@workshop/testkit/app';
import { test } from 'vitest';
import { problemsOf, readCollector } from './collector.ts';

test('collector.yaml: pipelines of components that are defined, and secrets masked in each', {
  tags: 'holds-before',
}, async () => {
  const problems = problemsOf(await readCollector(stepDir));
  if (problems.length > 0) throw new Error(problems.join('\n'));
});
