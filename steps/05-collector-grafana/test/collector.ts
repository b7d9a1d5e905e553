import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

type Components = Record<string, unknown>;
type Pipeline = { receivers: string[]; processors?: string[]; exporters: string[] };
export type Collector = {
  receivers: Components;
  processors: Components;
  exporters: Components;
  connectors: Components;
  extensions: Components;
  service: { extensions: string[]; pipelines: Record<string, Pipeline> };
};

const EMPTY = { receivers: {}, processors: {}, exporters: {}, connectors: {}, extensions: {} };

/** Reads a folder's collector.yaml. Throws an Error that names the file and the line when it is no YAML. */
export async function readCollector(folder: string): Promise<Collector> {
  const path = join(folder, 'collector.yaml');
  try {
    return { ...EMPTY, ...parse(await readFile(path, 'utf8')) };
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message.trim() : error}`);
  }
}

/** What can be seen to be wrong with a collector.yaml without a Collector, a sentence each. */
export function problemsOf(collector: Collector): string[] {
  return [...undefinedIn(collector), ...unusedIn(collector), ...openConnectorsIn(collector), ...unmaskedIn(collector)];
}

function undefinedIn({ service, ...defined }: Collector): string[] {
  const allowed = {
    receivers: { ...defined.receivers, ...defined.connectors },
    processors: defined.processors,
    exporters: { ...defined.exporters, ...defined.connectors },
  };
  const inPipelines = Object.entries(service.pipelines).flatMap(([name, pipeline]) =>
    (['receivers', 'processors', 'exporters'] as const).flatMap((kind) =>
      missing(pipeline[kind], allowed[kind]).map(
        (component) => `Pipeline ${name}: ${component} is not among the ${kind}.`,
      ),
    ),
  );
  const extensions = missing(service.extensions, defined.extensions);
  return [...inPipelines, ...extensions.map((component) => `service: ${component} is not among the extensions.`)];
}

function missing(names: string[] = [], defined: Components = {}): string[] {
  return names.filter((name) => !(name in defined));
}

function unusedIn({ service, ...defined }: Collector): string[] {
  const pipelines = Object.values(service.pipelines);
  const used = [
    ...service.extensions,
    ...pipelines.flatMap(({ receivers, processors = [], exporters }) => [...receivers, ...processors, ...exporters]),
  ];
  return Object.values(defined)
    .flatMap((components) => Object.keys(components))
    .filter((name) => !used.includes(name))
    .map((name) => `${name} is defined, and used in no pipeline.`);
}

function openConnectorsIn({ service, connectors }: Collector): string[] {
  const pipelines = Object.values(service.pipelines);
  return Object.keys(connectors).flatMap((name) => [
    ...(pipelines.some(({ exporters }) => exporters.includes(name)) ? [] : [`${name} is no pipeline's exporter.`]),
    ...(pipelines.some(({ receivers }) => receivers.includes(name)) ? [] : [`${name} is no pipeline's receiver.`]),
  ]);
}

function unmaskedIn({ service }: Collector): string[] {
  return Object.entries(service.pipelines)
    .filter(([, { processors = [] }]) => !processors.includes('redaction'))
    .map(([name, { exporters }]) => `Pipeline ${name}: no processor redaction before ${exporters.join(', ')}.`);
}
