import { markdownTable } from 'markdown-table';

/** The median of `values`. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** How far the median of `values` may be off: half of its 95 % confidence interval, by order statistics. */
export function medianError(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = 0.98 * Math.sqrt(sorted.length);
  const low = sorted[Math.max(0, Math.floor(sorted.length / 2 - reach))] ?? Number.NaN;
  const high = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + reach))] ?? Number.NaN;
  return (high - low) / 2;
}

export function verdict(value: number, bar: number): string {
  return value <= bar ? 'ok' : 'over';
}

/** Prints a Markdown table: the first column to the left, numbers to the right. */
export function printTable(title: string, header: string[], rows: string[][]): void {
  const align = header.map((_, column) => (column === 0 ? 'left' : 'right'));
  console.log(`\n${title}\n\n${markdownTable([header, ...rows], { align })}`);
}

/** Says what is being measured, where it does not get into a table. */
export function progress(text: string): void {
  console.error(`${text} ...`);
}
