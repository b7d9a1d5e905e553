import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { composeProject } from '@workshop/backends/compose';
import { metricsPage, seriesOn } from '@workshop/backends/prometheus';
import { localLane } from '@workshop/testkit/backends';
import { copyStep } from '@workshop/testkit/readme';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { attributes, hex, nanoseconds, sendOtlp } from './otlp.ts';

/** What the tests read of the values of the chart. */
type Values = {
  fullnameOverride: string;
  replicaCount?: number;
  image: { repository: string; tag: string };
  command: { name: string };
  resources: { limits: { memory: string } };
  securityContext: { runAsUser: number; readOnlyRootFilesystem: boolean; capabilities: { drop: string[] } };
  extraVolumes: { name: string; projected?: { sources: { secret: Secret }[] } }[];
  extraVolumeMounts: { name: string; mountPath: string }[];
  alternateConfig: Record<string, Record<string, unknown>> & { service: { extensions: string[] } };
};
type Secret = { name: string; items: { key: string; path: string }[] };

const step = join(import.meta.dirname, '..');
const scale = join(step, 'scale');
const readme = await readFile(join(scale, 'kubernetes/README.md'), 'utf8');
const agent = await yaml<Values>('kubernetes/agent-values.yaml');
const gateway = await yaml<Values>('kubernetes/gateway-values.yaml');
const lands = { timeout: 40_000, interval: 500 };

describe('the values for Kubernetes', () => {
  test('have the configuration of agent.yaml', async () => {
    expect(agent.alternateConfig).toEqual(await yaml('agent.yaml'));
  });

  test('have the configuration of gateway.yaml, and answer to the probes', async () => {
    const { extensions, service, ...same } = await yaml<Values['alternateConfig']>('gateway.yaml');
    expect(gateway.alternateConfig).toEqual({
      ...same,
      extensions: { ...extensions, health_check: { endpoint: '0.0.0.0:13133' } },
      service: { ...service, extensions: [...new Set([...service.extensions, 'health_check'])] },
    });
  });

  test('have the image and the memory of compose.yaml', async () => {
    const { services } = parse(await readFile(join(scale, 'compose.yaml'), 'utf8'), { merge: true });
    for (const [values, service] of [
      [agent, services['agent-backend']],
      [gateway, services.gateway],
    ] as const) {
      expect(imageOf(values)).toBe(service.image);
      expect(memoryOf(values)).toBe(service.mem_limit);
    }
    expect(gateway.replicaCount).toBe(services.gateway.deploy.replicas);
  });
});

test.skipIf(localLane)(
  'with these values, users, files and secrets a span goes through an agent to a gateway (local lane: no Collector)',
  async () => {
    await using copy = await copyStep(step);
    await using pods = await startPods(join(copy.dir, 'scale'));
    const spans = 20;
    const endpoint = `http://localhost:${pods.env.OTLP_PORT}`;
    await sendOtlp('traces', { resourceSpans: Array.from({ length: spans }, span) }, endpoint);
    const counted = async () => {
      const ports = [pods.env.FIRST_METRICS_PORT, pods.env.SECOND_METRICS_PORT];
      const pages = await Promise.all(ports.map((port) => metricsPage(Number(port))));
      return pages.map((page) =>
        seriesOn(page, 'traces_span_metrics_calls_total').reduce((sum, { value }) => sum + value, 0),
      );
    };
    await expect.poll(async () => (await counted()).reduce((sum, value) => sum + value), lands).toBe(spans);
    expect(await counted(), 'one of the gateways got nothing').not.toContain(0);
  },
);

/** The pods of the chart as containers: two gateways behind one name, as a headless Service has it, and one agent. */
async function startPods(folder: string) {
  await execa(process.execPath, ['secrets.ts'], { cwd: folder });
  const name = { default: { aliases: [gateway.fullnameOverride] } };
  const services = {
    'gateway-0': { ...(await podOf(gateway, folder)), networks: name, ports: gatewayPorts('FIRST') },
    'gateway-1': { ...(await podOf(gateway, folder)), networks: name, ports: gatewayPorts('SECOND') },
    agent: {
      ...(await podOf(agent, folder)),
      depends_on: ['gateway-0', 'gateway-1'], // it sees both from the start
      ports: [published('OTLP_PORT', 4318), published('AGENT_HEALTH_PORT', 13133)],
    },
  };
  const pods = join(folder, 'kubernetes');
  await writeFile(join(pods, 'compose.yaml'), JSON.stringify({ services }));
  const project = await composeProject();
  await project.up(pods);
  return project;
}

function gatewayPorts(which: string): string[] {
  return [published(`${which}_HEALTH_PORT`, 13133), published(`${which}_METRICS_PORT`, 8889)];
}

function published(variable: string, port: number): string {
  return `127.0.0.1:\${${variable}-${port}}:${port}`;
}

/** What the chart makes of values, as a service of compose.yaml. */
async function podOf(values: Values, folder: string) {
  const { securityContext: context, command, fullnameOverride } = values;
  const config = join(folder, `${fullnameOverride}.json`);
  await writeFile(config, JSON.stringify(values.alternateConfig));
  const mounts = values.extraVolumeMounts.map(({ name, mountPath }) => {
    const volume = values.extraVolumes.find((each) => each.name === name);
    return { name, mountPath, secrets: volume?.projected?.sources.map(({ secret }) => secret) };
  });
  const queues = mounts.filter(({ secrets }) => !secrets);
  for (const { name } of queues) await mkdir(join(folder, name), { recursive: true });
  const files = mounts.flatMap(({ mountPath, secrets = [] }) =>
    secrets.flatMap(({ name, items }) =>
      items.map(({ key, path }) => bind(join(folder, secretFile(name, key)), `${mountPath}/${path}`, true)),
    ),
  );
  return {
    image: imageOf(values),
    entrypoint: [`/${command.name}`, '--config=/conf/relay.yaml'],
    user: `${context.runAsUser}:${context.runAsUser}`,
    read_only: context.readOnlyRootFilesystem,
    cap_drop: context.capabilities.drop,
    security_opt: ['no-new-privileges:true'],
    mem_limit: memoryOf(values),
    volumes: [
      bind(config, '/conf/relay.yaml', true),
      ...queues.map(({ name, mountPath }) => bind(join(folder, name), mountPath, false)),
      ...files,
    ],
  };
}

function bind(source: string, target: string, readOnly: boolean) {
  return { type: 'bind', source, target, read_only: readOnly };
}

/** The file that the README's commands put into a Secret as `key`. */
function secretFile(secret: string, key: string): string {
  const command = readme.match(new RegExp(`create secret \\w+ ${secret} .*`))?.[0] ?? '';
  const option = { 'tls.crt': '--cert=', 'tls.key': '--key=' }[key] ?? `--from-file=${key}=`;
  const file = command.split(' ').find((part) => part.startsWith(option));
  if (!file) throw new Error(`README.md of scale/kubernetes makes no Secret ${secret} with ${key}.`);
  return file.slice(option.length);
}

function imageOf({ image }: Values): string {
  return `${image.repository}:${image.tag}`;
}

/** As compose.yaml writes it: 384m. */
function memoryOf({ resources }: Values): string {
  return resources.limits.memory.replace(/Mi$/, 'm');
}

function span() {
  const times = { startTimeUnixNano: nanoseconds(-100), endTimeUnixNano: nanoseconds() };
  const spans = [{ traceId: hex(32), spanId: hex(16), name: 'GET /', kind: 2, ...times }];
  // Without the name of a service it would not be counted.
  const resource = { attributes: attributes({ 'service.name': 'frontend' }) };
  return { resource, scopeSpans: [{ scope: { name: 'test' }, spans }] };
}

async function yaml<Content>(file: string): Promise<Content> {
  return parse(await readFile(join(scale, file), 'utf8'));
}
