import type { Span } from '@workshop/backends/spans';

type Bar = Pick<Span, 'traceId' | 'spanId' | 'parentSpanId' | 'name' | 'kind' | 'startMs' | 'durationMs' | 'resource'>;

const WIDTH = 800;
const ROW = 30;
const LEFT = 16;
const INDENT = 18;
const BARS = { from: 340, to: 700 };
const TICKS = 4;
/** One for each service, in the order in which they appear. */
const COLOURS = ['#1f5fa8', '#a34700', '#3d7a2a'];

/**
 * Draws traces as one SVG: a row for each span, below its parent, with its service, name, kind and duration, and a bar on the
 * time axis that all traces share.
 */
export function drawWaterfall(spans: Bar[]): string {
  const start = startOf(spans);
  const duration = Math.max(...spans.map(({ startMs, durationMs }) => startMs + durationMs)) - start;
  const x = (ms: number) => round(BARS.from + (ms / duration) * (BARS.to - BARS.from));
  const rows = Object.values(Object.groupBy(spans, ({ traceId }) => traceId))
    .filter((trace) => trace !== undefined)
    .sort((one, other) => startOf(one) - startOf(other))
    .flatMap((trace) => [trace[0]?.traceId, ...inTree(trace)]);
  const services = [...new Set(rows.flatMap((row) => (typeof row === 'object' ? serviceOf(row.span) : [])))];
  const height = ROW * (rows.length + 1) + LEFT;

  const grid = ticks(duration).map(
    (ms) =>
      `<path class="grid" d="M${x(ms)} ${ROW}V${height - LEFT}"/><text class="tick" x="${x(ms)}" y="20">${ms} ms</text>`,
  );
  const lines = rows.map((row, i) => {
    const y = ROW * (i + 1);
    if (typeof row !== 'object') return `<text class="label" x="${LEFT}" y="${y + 20}">Trace ${row}</text>`;
    const { span, depth } = row;
    const indent = LEFT + depth * INDENT;
    const service = serviceOf(span);
    const colour = COLOURS[services.indexOf(service)];
    const [from, to] = [x(span.startMs - start), x(span.startMs - start + span.durationMs)];
    return [
      depth > 0 ? `<path class="branch" d="M${indent - 12} ${y - 3}V${y + 16}H${indent - 3}"/>` : '',
      `<text class="label" x="${indent}" y="${y + 20}"><tspan class="service" fill="${colour}">${xml(service)}</tspan>`,
      ` ${xml(span.name)} <tspan class="kind">${span.kind}</tspan></text>`,
      `<rect x="${from}" y="${y + 7}" width="${Math.max(1, round(to - from))}" height="17" rx="2" fill="${colour}"/>`,
      `<text class="time" x="${to + 6}" y="${y + 20}">${span.durationMs.toFixed(1)} ms</text>`,
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
<title>The spans of ${xml(services.join(' and '))}, one bar each</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #222; white-space: pre }
.service { font-weight: bold }
.kind, .time, .tick { font-size: 11px; fill: #555 }
.tick { text-anchor: middle }
.branch { fill: none; stroke: #999 }
.grid { stroke: #ddd }
</style>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${[...grid, ...lines].join('\n')}
</svg>
`;
}

/** What the rows of such a picture say: the traces, and each span indented below its parent. */
export function rowsIn(svg: string): string[] {
  return [...svg.matchAll(/<text class="label" x="(\d+)"[^>]*>(.*?)<\/text>/g)].map(([, x, text]) => {
    const words = String(text)
      .replace(/<[^>]*>/g, '')
      .replace(/[0-9a-f]{32}/, 'ID');
    return ' '.repeat((Number(x) - LEFT) / INDENT) + words;
  });
}

/** The spans of a trace, each after its parent, siblings in the order in which they start. */
function inTree(trace: Bar[], parent?: Bar, depth = 0): { span: Bar; depth: number }[] {
  return trace
    .filter(({ parentSpanId }) => parentSpanId === parent?.spanId)
    .sort((one, other) => one.startMs - other.startMs)
    .flatMap((span) => [{ span, depth }, ...inTree(trace, span, depth + 1)]);
}

/** Round numbers from 0 to `duration`, in milliseconds. */
function ticks(duration: number): number[] {
  const rough = duration / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.floor(duration / step) + 1 }, (_, i) => round(i * step));
}

/** When the first of them starts. */
function startOf(spans: Bar[]): number {
  return Math.min(...spans.map(({ startMs }) => startMs));
}

function serviceOf({ resource }: Bar): string {
  return String(resource['service.name']);
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
