import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

const grafana = join(import.meta.dirname, '..', 'grafana');

export type Target = { refId: string; expr: string };
export type Panel = { type: string; title: string; datasource?: { type: string; uid: string }; targets?: Target[] };

/** The panels of the dashboard that ask something. */
export const panels: Panel[] = (
  JSON.parse(await readFile(join(grafana, 'llm-app.json'), 'utf8')).panels as Panel[]
).filter(({ targets }) => targets);

type Datasource = {
  uid: string;
  jsonData: {
    exemplarTraceIdDestinations?: { name: string; datasourceUid?: string; url?: string }[];
    tracesToLogsV2?: { datasourceUid: string; query: string };
    tracesToMetrics?: { datasourceUid: string; tags: { key: string; value: string }[]; queries: { query: string }[] };
    derivedFields?: { matcherType: string; matcherRegex: string; datasourceUid?: string; url: string }[];
  };
};

const provisioned = await readFile(join(grafana, 'datasources.yaml'), 'utf8');
const { datasources }: { datasources: Datasource[] } = parse(provisioned.replaceAll('$$', '$'));

/** How Grafana links one signal to the next, as the data sources say. */
export const links = Object.assign({}, ...datasources.map(({ jsonData }) => jsonData)) as Required<
  Datasource['jsonData']
>;

/** What Grafana asks when somebody follows the links of a span of `service`. */
export function linksOf(traceId: string, service: string): { logs: string; metrics: string[] } {
  const [tag] = links.tracesToMetrics.tags;
  return {
    logs: links.tracesToLogsV2.query.replace(/\$\{__span\.traceId\}/, traceId),
    metrics: links.tracesToMetrics.queries.map(({ query }) => query.replace('$__tags', `${tag?.value}="${service}"`)),
  };
}
