export type Series = { labels: Record<string, string>; value: number };

/** Evaluates PromQL in the Prometheus at `port`. */
export async function promQl(query: string, port: string): Promise<Series[]> {
  type Result = { metric: Record<string, string>; value: [time: number, value: string] }[];
  const { result } = await prometheus<{ result: Result }>(`query?${new URLSearchParams({ query })}`, port);
  return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}

/** The data that Prometheus's HTTP API answers, https://prometheus.io/docs/prometheus/latest/querying/api. */
export async function prometheus<Data>(path: string, port: string): Promise<Data> {
  const response = await fetch(`http://localhost:${port}/api/v1/${path}`);
  if (!response.ok) throw new Error(`Prometheus answers ${response.status}: ${await response.text()}`);
  const { data } = (await response.json()) as { data: Data };
  return data;
}

/** What an app serves for Prometheus at `port`, one text. */
export async function metricsPage(port: number): Promise<string> {
  const response = await fetch(`http://localhost:${port}/metrics`);
  return response.text();
}

const SAMPLE = /^([\w:]+)(?:\{(.*)\})? (\S+)/gm;
const LABEL = /(\w+)="((?:\\.|[^\\"])*)"/g;

/** The series of `metric` on a page of metrics, https://prometheus.io/docs/instrumenting/exposition_formats. */
export function seriesOn(page: string, metric: string): Series[] {
  return [...page.matchAll(SAMPLE)]
    .filter(([, name]) => name === metric)
    .map(([, , labels = '', value]) => ({
      labels: labelsIn(labels),
      value: Number(value?.replace('Inf', 'Infinity')),
    }));
}

function labelsIn(text: string): Record<string, string> {
  const unescaped = (value: string) =>
    value.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character));
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value = '']) => [name, unescaped(value)]));
}
