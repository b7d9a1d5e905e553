import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { compare, comparisonText } from './compare.ts';
import { type Figure, figure, summary } from './figures.ts';
import type { Results } from './results.ts';

const machine = { processor: 'A', cores: 2, memoryGiB: 8, node: 'v24', docker: 'none', compose: 'none' };

function results(figures: Figure[], changed: Partial<Results['machine']> = {}): Results {
  const facts = { date: '2026-01-01T00:00:00.000Z', commit: 'abc', lane: 'local', run: 'whole' } as const;
  return { ...facts, machine: { ...machine, ...changed }, notMeasured: {}, figures };
}

describe('a figure', () => {
  test('has the median of its values, and the spread of the median', () => {
    expect(summary([5, 1, 3])).toEqual({ median: 3, spread: 2 });
    expect(summary([4, 2])).toEqual({ median: 3, spread: 1 });
    expect(summary(Array.from({ length: 100 }, (_, i) => i))).toEqual({ median: 49.5, spread: 10 });
  });

  test('that was measured once has no spread', () => {
    expect(summary([7])).toEqual({ median: 7, spread: null });
  });

  test('has the ratio to its baseline within the rounds', () => {
    const { ratio } = figure('call', 'ms', [20, 40, 90], { baseline: { id: 'bare', values: [10, 20, 30] } });
    expect(ratio).toEqual({ median: 2, spread: 0.5 });
  });

  test.each([
    ['ok', figure('call', 'ms', [1, 2, 3], { bar: 2 })],
    ['over', figure('call', 'ms', [1, 3, 3], { bar: 2 })],
    ['ok', figure('rate', '/s', [8], { better: 'higher', baseline: { id: 'bare', values: [10] }, ratioBar: 0.8 })],
    ['over', figure('rate', '/s', [7], { better: 'higher', baseline: { id: 'bare', values: [10] }, ratioBar: 0.8 })],
  ])('is judged: %s', (verdict, { bar }) => {
    expect(bar?.verdict).toBe(verdict);
  });
});

describe('compare', () => {
  const change = (before: Figure, now: Figure) => compare(results([before]), results([now])).changes[0]?.change;

  test.each([
    ['same', [10, 12], [12, 14]],
    ['worse', [10, 12], [13, 15.2]],
    ['better', [10, 12], [6, 8]],
    ['measured once', [10, 12], [20]],
  ])('%s: %s, then %s', (expected, before, now) => {
    expect(change(figure('call: 02', 'ms', before), figure('call: 02', 'ms', now))).toBe(expected);
  });

  test('of a throughput more is better', () => {
    const throughput = (values: number[]) => figure('services: throughput', '/s', values, { better: 'higher' });
    expect(change(throughput([10, 11]), throughput([20, 21]))).toBe('better');
    expect(change(throughput([20, 21]), throughput([10, 11]))).toBe('worse');
  });

  test('names what is new or gone, and not what was not measured', () => {
    const [one, other, third] = ['call: 02', 'call: 03', 'drops: spans'].map((id) => figure(id, 'ms', [1, 2]));
    const { added, gone } = compare(results([one, third] as Figure[]), results([other] as Figure[]));
    expect({ added, gone }).toEqual({ added: ['call: 03'], gone: ['call: 02'] });
  });

  test('on another machine, ratios alone', () => {
    const [before, now] = [10, 50].map((ms) =>
      figure('call: 02', 'ms', [ms, ms], { baseline: { id: 'bare', values: [10, 10] } }),
    );
    const alone = figure('doctor', 's', [1, 1]);
    const comparison = compare(results([before, alone] as Figure[]), results([now, alone] as Figure[], { cores: 8 }));
    expect(comparison.changes).toEqual([
      { id: 'call: 02', unit: 'ratio', before: 1, now: 5, spread: 0, change: 'worse' },
    ]);
    expect(comparisonText('old.json', comparison)).toContain('only ratios are compared. cores: 2, now 8');
  });

  test('another Node is no other machine: what it changes is what is looked for', () => {
    expect(compare(results([]), results([], { node: 'v26' })).machines).toEqual([]);
  });
});

describe('npm run bench', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  afterAll(() => rm(folder, { recursive: true }));
  const bench = (...args: string[]) =>
    execa(process.execPath, [join(import.meta.dirname, 'bench.ts'), ...args], { reject: false });

  test('--help names each piece', async () => {
    const { exitCode, stdout } = await bench('--help');
    expect(exitCode).toBe(0);
    for (const piece of ['call', 'drops', 'memory', 'install']) expect(stdout).toContain(`\n  ${piece} `);
  });

  test.each([[['nonsense']], [['--fast']], [['--against']]])('wrong usage: %s', async (args) => {
    expect((await bench(...args)).exitCode).toBe(2);
  });

  test.each([
    ['none.json', undefined, /Cannot read .*none\.json: ENOENT/],
    ['half.json', '{"machine": {', /half\.json is not JSON/],
    ['other.json', '{"name": "otel"}', /other\.json is no result of npm run bench/],
  ])('against %s nothing is measured', async (name, text, message) => {
    const file = join(folder, name);
    if (text) await writeFile(file, text);
    const { exitCode, stdout, stderr } = await bench('--against', file, 'install');
    expect(stderr).toMatch(message);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  });
});
