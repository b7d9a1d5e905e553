import { type Figure, rounded, table } from './figures.ts';
import type { Results } from './results.ts';

type Change = { id: string; unit: string; before: number; now: number; spread: number | null; change: string };

export type Comparison = {
  /** In what the machines differ. If they do, only ratios are compared. */
  machines: string[];
  /** One for each figure that both have and that can be compared. */
  changes: Change[];
  added: string[];
  gone: string[];
};

const HARDWARE = ['processor', 'cores', 'memoryGiB'] as const;

/** Compares two runs, figure by figure. What moved by more than the spread of both together is better or worse. */
export function compare(before: Results, now: Results): Comparison {
  const machines = HARDWARE.filter((fact) => before.machine[fact] !== now.machine[fact]).map(
    (fact) => `${fact}: ${before.machine[fact]}, now ${now.machine[fact]}`,
  );
  const earlier = new Map(before.figures.map((figure) => [figure.id, figure]));
  const ids = new Set(now.figures.map(({ id }) => id));
  // A piece that was not measured now has lost no figure.
  const measured = new Set(now.figures.map(pieceOf));
  return {
    machines,
    changes: now.figures.flatMap((figure) => changeOf(earlier.get(figure.id), figure, machines.length > 0)),
    added: [...ids].filter((id) => !earlier.has(id)),
    gone: before.figures.filter((figure) => !ids.has(figure.id) && measured.has(pieceOf(figure))).map(({ id }) => id),
  };
}

function pieceOf({ id }: Figure): string {
  return id.split(':', 1).join();
}

/** Empty where there is nothing to compare. */
function changeOf(before: Figure | undefined, now: Figure, byRatio: boolean): Change[] {
  const [one, other] = byRatio ? [before?.ratio, now.ratio] : [before, now];
  if (!one || !other) return [];
  const spread = one.spread === null || other.spread === null ? null : rounded(one.spread + other.spread);
  const moved = spread !== null && Math.abs(other.median - one.median) > spread;
  const isBetter = now.better === 'lower' ? other.median < one.median : other.median > one.median;
  const change = spread === null ? 'measured once' : moved ? (isBetter ? 'better' : 'worse') : 'same';
  return [{ id: now.id, unit: byRatio ? 'ratio' : now.unit, before: one.median, now: other.median, spread, change }];
}

/** The comparison for people. */
export function comparisonText(file: string, { machines, changes, added, gone }: Comparison): string {
  const shown = changes.filter(({ change }) => change !== 'same');
  const rows = shown.map(({ id, before, now, spread, unit, change }) => [id, before, now, spread ?? '', unit, change]);
  const count = changes.filter(({ change }) => change === 'same').length;
  return [
    `Against ${file}: ${count} of ${changes.length} figures did not move beyond the spread of both.`,
    ...machines.map((difference) => `Another machine, so only ratios are compared. ${difference}`),
    ...(rows.length > 0 ? ['', table(['moved', 'before', 'now', '± of both', 'unit', ''], rows), ''] : []),
    ...added.map((id) => `New: ${id}`),
    ...gone.map((id) => `Gone: ${id}`),
  ].join('\n');
}
