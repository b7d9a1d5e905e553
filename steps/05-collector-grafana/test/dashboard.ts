import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

const grafana = join(import.meta.dirname, '..', 'grafana');

export type Target = { refId: string; expr: string };
type Panel = {
  title: string;
  datasource: { type: string; uid: string };
  targets: Target[];
  fieldConfig: { defaults: { links?: { url: string }[] } };
};

/** The panels of the dashboard that ask something. */
export const panels: Panel[] = (
  JSON.parse(await readFile(join(grafana, 'llm-app.json'), 'utf8')).panels as Partial<Panel>[]
).filter((panel): panel is Panel => 'targets' in panel);

type Datasource = {
  jsonData: {
    exemplarTraceIdDestinations?: { name: string; datasourceUid?: string; url?: string }[];
    tracesToMetrics?: { tags: { value: string }[]; queries: { query: string }[] };
  };
};

const provisioned = await readFile(join(grafana, 'datasources.yaml'), 'utf8');
const { datasources }: { datasources: Datasource[] } = parse(provisioned.replaceAll('$$', '$'));

/** How Grafana links one signal to the next, as the data sources say. */
export const links = Object.assign({}, ...datasources.map(({ jsonData }) => jsonData)) as Required<
  Datasource['jsonData']
>;

/** What Grafana asks when somebody wants to know what is usual for a span of `service`. */
export function metricQueriesOf(service: string): string[] {
  const { tags, queries } = links.tracesToMetrics;
  return queries.map(({ query }) => query.replace('$__tags', `${tags[0]?.value}="${service}"`));
}
