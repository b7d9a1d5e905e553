import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

export type ComposeFile = { services: Record<string, { image: string; ports?: string[]; mem_limit?: string }> };

/** Reads the step's compose.yaml. Throws an Error that names the file and the line when it cannot. */
export async function readCompose(step: string): Promise<ComposeFile> {
  const path = join(step, 'compose.yaml');
  try {
    const compose = parse(await readFile(path, 'utf8'));
    if (!compose?.services) throw new Error('it names no services.');
    return compose;
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message.trim() : error}`);
  }
}

/** Pages for people: tests of the rest run without them where WITHOUT names them. */
const OPTIONAL = ['grafana'];

/** The services that WITHOUT leaves out. Throws an Error when it names one that the tests need. */
export function leftOut(env: NodeJS.ProcessEnv = process.env): string[] {
  const names = (env.WITHOUT ?? '').split(',').filter(Boolean);
  const needed = names.find((name) => !OPTIONAL.includes(name));
  if (needed) throw new Error(`WITHOUT is ${env.WITHOUT}: what can be left out is ${OPTIONAL.join(', ')}.`);
  return names;
}

/** Whether WITHOUT may leave out a service. */
export function isOptional(service: string): boolean {
  return OPTIONAL.includes(service);
}

/** The services of a step that are started here: all but those that WITHOUT leaves out. */
export function servicesHere({ services }: ComposeFile): string[] {
  return Object.keys(services).filter((name) => !leftOut().includes(name));
}

export type Port = { service: string; variable: string; port: number };

/** The ports that services of a compose file publish: `127.0.0.1:${VARIABLE-default}:port`. */
export function portsOf({ services }: ComposeFile, names: string[]): Port[] {
  return names.flatMap((service) =>
    (services[service]?.ports ?? []).flatMap((entry) => {
      const [, variable, port] = /\$\{(\w+)-\d+\}:(\d+)$/.exec(entry) ?? [];
      return variable ? [{ service, variable, port: Number(port) }] : [];
    }),
  );
}

/** Where a port is on this machine when compose.yaml is started by hand: its variable says so, or it stays the same. */
export function portHere({ variable, port }: Port): number {
  return Number(process.env[variable] || port);
}
