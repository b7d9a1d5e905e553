import { markdownTable } from 'markdown-table';

/** A median, and how far it may be off: half of its 95 % confidence interval, or null where there is one value only. */
export type Summary = { median: number; spread: number | null };

/** What was measured `n` times, in the same rounds as its baseline: `ratio` is that of the values of a round. */
export type Figure = Summary & {
  id: string;
  unit: string;
  n: number;
  better: 'lower' | 'higher';
  baseline?: { id: string; median: number };
  ratio?: Summary;
  bar?: { value: number; of: 'median' | 'ratio'; verdict: 'ok' | 'over' };
};

type More = {
  better?: Figure['better'];
  baseline?: { id: string; values: number[] };
  bar?: number;
  /** A bar for the ratio to the baseline. */
  ratioBar?: number;
};

/** Makes a figure of the values of all rounds. */
export function figure(id: string, unit: string, values: number[], more: More = {}): Figure {
  const { better = 'lower', baseline, bar, ratioBar } = more;
  const own = summary(values);
  const ratio = baseline && summary(values.map((value, i) => value / (baseline.values[i] ?? Number.NaN)));
  const judge = (value: number, of: 'median' | 'ratio', median = Number.NaN) => {
    const verdict: 'ok' | 'over' = (better === 'lower' ? median <= value : median >= value) ? 'ok' : 'over';
    return { bar: { value, of, verdict } };
  };
  return {
    id,
    unit,
    ...own,
    n: values.length,
    better,
    ...(baseline && { baseline: { id: baseline.id, median: rounded(median(baseline.values)) } }),
    ...(ratio && { ratio }),
    ...(bar !== undefined && judge(rounded(bar), 'median', own.median)),
    ...(ratioBar !== undefined && judge(ratioBar, 'ratio', ratio?.median)),
  };
}

/** The median of `values`. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** Their median and its confidence interval, by order statistics: of fewer than six values it is all that they span. */
export function summary(values: number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = 0.98 * Math.sqrt(sorted.length);
  const low = sorted[Math.max(0, Math.floor(sorted.length / 2 - reach))] ?? Number.NaN;
  const high = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + reach))] ?? Number.NaN;
  return {
    median: rounded(median(values)),
    spread: sorted.length > 1 ? rounded((rounded(high) - rounded(low)) / 2) : null,
  };
}

/** As Markdown. `+-` is the spread. */
export function figureTable(title: string, figures: Figure[]): string {
  const header = [title, 'median', '±', 'n', 'unit', 'baseline', 'ratio', '±', 'bar', ''];
  const rows = figures.map(({ id, median, spread, n, unit, baseline, ratio, bar }) => [
    id,
    median,
    spread ?? '',
    n,
    unit,
    baseline ? `${baseline.id}: ${baseline.median}` : '',
    ratio?.median ?? '',
    ratio?.spread ?? '',
    bar ? `${bar.of === 'ratio' ? 'ratio ' : ''}${bar.value}` : '',
    bar?.verdict ?? '',
  ]);
  return table(header, rows);
}

/** A Markdown table: the first column to the left, the others to the right. */
export function table(header: string[], rows: (string | number)[][]): string {
  const align = header.map((_, column) => (column === 0 ? 'left' : 'right'));
  return markdownTable([header, ...rows.map((row) => row.map(String))], { align });
}

/** Says what is being measured, where it does not get into a table. */
export function progress(text: string): void {
  console.error(`${text} ...`);
}

export function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}

/** More digits would be noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
