import { stepDir } from '@workshop/testkit/app';
import { expect, test } from 'vitest';
import { problemsOf, readCollector } from './collector.ts';

test('collector.yaml: pipelines of components that are defined, and secrets masked in each', {
  tags: 'holds-before',
}, async () => {
  expect(problemsOf(await readCollector(stepDir)), 'What is wrong in collector.yaml').toEqual([]);
});
