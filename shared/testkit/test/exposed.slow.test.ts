// What SECURITY.md says of containers and of ports, read off while they run.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join, relative } from 'node:path';
import { type ComposeProject, composeProject } from '@workshop/backends/compose';
import { leftOut } from '@workshop/backends/compose-file';
import { startDevtools } from '@workshop/backends/devtools';
import { chooseLane } from '@workshop/backends/lane';
import { freePort, freePortPair } from '@workshop/backends/ports';
import { root, steps } from '@workshop/lessons/steps';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp } from '../src/app.ts';
import { copyStep, sectionOf } from '../src/readme.ts';
import { family } from './small-step.ts';

/** What `docker inspect` says, https://docs.docker.com/reference/api/engine. */
type Container = {
  Id: string;
  Image: string;
  Config: { Labels: Record<string, string> };
  HostConfig: {
    Privileged: boolean;
    ReadonlyRootfs: boolean;
    NetworkMode: string;
    PidMode: string;
    IpcMode: string;
    Devices: unknown[] | null;
    Tmpfs?: Record<string, string>;
  };
  Mounts: { Type: string; Name?: string; Source: string; RW: boolean }[];
  NetworkSettings: {
    Ports: Record<string, { HostIp: string }[] | null>;
    Networks: Record<string, { IPAddress: string }>;
  };
};
/** What look-inside.ts prints. */
type Seen = { user: string; capabilities: string; noNewPrivileges: string; leadsOut: boolean; reaches: string[] };

const security = sectionOf(await readFile(join(root, 'SECURITY.md'), 'utf8'), 'Containers');
/** The rows of the table there, without the spaces around their cells. */
const told = (security.match(/^\| `.*$/gm) ?? []).map((line) => line.split('|').map((cell) => cell.trim()));

const dirOf = (number: string) => String(steps.find((step) => step.number === number)?.dir);
const lane = await chooseLane(dirOf('05'));
const isLinux = process.platform === 'linux';

describe
  .skipIf(lane.lane === 'local' || !isLinux)
  .concurrent('the containers are as SECURITY.md says (local lane, or not Linux: nothing to look into)', () => {
    const [onAll, onLoopback] = [createServer(), createServer()];
    let neighbour: ComposeProject;
    beforeAll(async () => {
      neighbour = await composeProject();
      await neighbour.up(dirOf('02'));
      await once(onAll.listen(0, '0.0.0.0'), 'listening');
      await once(onLoopback.listen(0, '127.0.0.1'), 'listening');
    }, 60_000);
    afterAll(async () => {
      onAll.close();
      onLoopback.close();
      await neighbour?.[Symbol.asyncDispose]();
    });

    test.for(['02', '03', '04', '05', 'scale/'])('%s', async (where, { expect }) => {
      await using copy = where === 'scale/' ? await copyStep(join(dirOf('05'), 'scale')) : undefined;
      const dir = copy?.dir ?? dirOf(where);
      if (copy) await execa(process.execPath, ['secrets.ts'], { cwd: dir });
      await using project = await composeProject({ PROMETHEUS_CONFIG: './prometheus.yml' });
      await project.up(dir);
      const containers = await inspected(project);
      const names = [...new Set(containers.map(nameOf))].sort();

      const portOf = (server: typeof onAll) => (server.address() as AddressInfo).port;
      const [jaeger] = await inspected(neighbour);
      const targets = {
        ...Object.fromEntries(
          containers.map((container) => [nameOf(container), `${nameOf(container)}:${portIn(container)}`]),
        ),
        'this machine, what listens on all addresses': `{machine}:${portOf(onAll)}`,
        'this machine, what listens on 127.0.0.1': `{machine}:${portOf(onLoopback)}`,
        'a published port of another project': `{machine}:${neighbour.env.JAEGER_UI_PORT}`,
        'a container of another project': `${addressOf(jaeger)}:16686`,
      };
      const reaches = [...names, 'this machine, what listens on all addresses'].sort();
      const rights = { capabilities: '0000000000000000', noNewPrivileges: '1', leadsOut: true };
      const users = await Promise.all(
        containers.map(async (container) => {
          let seen: Seen | undefined;
          const looking = async () => (seen = await look(container, targets));
          const message = nameOf(container);
          await expect.poll(looking, { timeout: 30_000, interval: 500, message }).toMatchObject({ ...rights, reaches });
          return seen?.user;
        }),
      );

      const rows = told.filter(
        ([, name = '', steps]) => steps?.split(', ').includes(where) && !leftOut().includes(name.replaceAll('`', '')),
      );
      const read = containers.map((container, index) => rowOf(container, String(users[index]), dir));
      // Gateways are alike.
      expect([...new Set(read)].sort()).toEqual(rows.map(([, name, , ...rest]) => rowText([name, ...rest])).sort());

      for (const container of containers) {
        const { Privileged, PidMode, IpcMode, Devices, NetworkMode } = container.HostConfig;
        expect({ Privileged, PidMode, IpcMode, Devices: Devices ?? [], NetworkMode }, nameOf(container)).toEqual({
          ...{ Privileged: false, PidMode: '', IpcMode: 'private', Devices: [] },
          NetworkMode: `${project.project}_default`,
        });
        const hosts = Object.values(container.NetworkSettings.Ports).flatMap((published) =>
          (published ?? []).map(({ HostIp }) => HostIp),
        );
        expect(
          hosts.filter((host) => host !== '127.0.0.1'),
          nameOf(container),
        ).toEqual([]);
      }
    });
  });

describe.skipIf(!isLinux)('the programs listen where SECURITY.md says (not Linux: nothing to look into)', () => {
  test.each([
    ['01', ['127.0.0.1 other']],
    ['02', ['127.0.0.1 other']],
    ['03', ['0.0.0.0 metrics', '127.0.0.1 other']],
    ['04', ['0.0.0.0 metrics', '0.0.0.0 metrics', '127.0.0.1 backend', '127.0.0.1 frontend', '127.0.0.1 other']],
    ['05', ['127.0.0.1 backend', '127.0.0.1 frontend', '127.0.0.1 other']],
  ])('step %s', async (number, expected) => {
    const [frontend, backend, metrics] = [await freePort(), await freePort(), await freePortPair()];
    const env = {
      FRONTEND_PORT: `${frontend}`,
      BACKEND_PORT: `${backend}`,
      BACKEND_URL: `http://localhost:${backend}`,
      OTEL_EXPORTER_PROMETHEUS_PORT: `${metrics}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${await freePort()}`,
    };
    // The other one is the embedded model's.
    const names = { [frontend]: 'frontend', [backend]: 'backend', [metrics]: 'metrics', [metrics + 1]: 'metrics' };
    await using app = startApp([], { cwd: dirOf(number), env });
    const addresses = async () => (await listening()).map(([host, port]) => `${host} ${names[port] ?? 'other'}`).sort();
    await expect.poll(addresses, { timeout: 20_000, message: app.stderr }).toEqual(expected);
  });

  test('the receiver of the local lane', async () => {
    const port = await freePort();
    const devtools = await startDevtools(port);
    try {
      const hosts = async () => [...new Set((await listening()).map(([host]) => host))].sort();
      await expect.poll(hosts, { timeout: 10_000 }).toEqual(['127.0.0.1', '::1']);
    } finally {
      await devtools.stop();
    }
  });
});

async function inspected({ project }: ComposeProject): Promise<Container[]> {
  const { stdout: ids } = await execa('docker', [
    'ps',
    '--quiet',
    '--filter',
    `label=com.docker.compose.project=${project}`,
  ]);
  return JSON.parse((await execa('docker', ['inspect', ...ids.split('\n')])).stdout);
}

function nameOf({ Config }: Pick<Container, 'Config'>): string {
  return String(Config.Labels['com.docker.compose.service']);
}

function addressOf(container?: Container): string | undefined {
  return Object.values(container?.NetworkSettings.Networks ?? {})[0]?.IPAddress;
}

/** The ports of a container that are published. */
function publishedBy({ NetworkSettings }: Container): number[] {
  const published = Object.entries(NetworkSettings.Ports).filter(([, on]) => on);
  return published.map(([port]) => Number.parseInt(port, 10)).sort((one, other) => one - other);
}

/** A port that it listens on: a gateway publishes none, and receives OTLP. */
function portIn(container: Container): number {
  return publishedBy(container)[0] ?? 4317;
}

/** What SECURITY.md says of a container, cell by cell, without where it is used. */
function rowOf(container: Container, user: string, dir: string): string {
  const { HostConfig, Mounts } = container;
  const listed = (entries: string[]) => entries.join(', ') || 'nothing';
  const writes = [
    // A volume without a name is the image's own: no compose.yaml asks for it.
    ...(HostConfig.ReadonlyRootfs && !Mounts.some(isUnnamed) ? [] : ['its own files']),
    ...Mounts.filter((mount) => mount.RW && !isUnnamed(mount)).map(({ Type, Name, Source }) =>
      Type === 'volume' ? `volume \`${Name?.split('_').at(-1)}\`` : `\`${Source}\``,
    ),
    ...Object.keys(HostConfig.Tmpfs ?? {}).map((path) => `memory \`${path}\``),
  ];
  const reads = Mounts.filter(({ RW }) => !RW).map(({ Source }) => `\`${relative(dir, Source)}\``);
  return rowText([
    `\`${nameOf(container)}\``,
    user === '0' ? 'root' : user,
    listed(publishedBy(container).map(String)),
    listed(writes),
    listed(reads.sort()),
  ]);
}

function isUnnamed({ Name = '' }: { Name?: string }): boolean {
  return /^[0-9a-f]{64}$/.test(Name);
}

function rowText(cells: (string | undefined)[]): string {
  return cells.filter(Boolean).join(' | ');
}

/** Runs look-inside.ts in the network and beside the processes of a container: most images have no shell. */
async function look({ Id, Image }: Container, targets: Record<string, string>): Promise<Seen> {
  const libraries = ['/lib', '/lib64', '/usr/lib'].filter((path) => existsSync(path));
  const files = {
    ...Object.fromEntries(libraries.map((path) => [path, path])),
    [process.execPath]: '/node',
    [join(import.meta.dirname, 'look-inside.ts')]: '/look-inside.ts',
  };
  const mounts = Object.entries(files).flatMap(([from, to]) => ['--volume', `${from}:${to}:ro`]);
  const inside = ['--network', `container:${Id}`, '--pid', `container:${Id}`, '--user', '65534', '--read-only'];
  const { stdout } = await execa('docker', [
    'run',
    '--rm',
    ...inside,
    ...mounts,
    '--entrypoint',
    '/node',
    Image,
    '/look-inside.ts',
    JSON.stringify(targets),
  ]);
  return JSON.parse(stdout);
}

/** The addresses that the programs which this one has started listen on. */
async function listening(): Promise<[host: string, port: number][]> {
  const pids = (await family(process.pid)).filter((pid) => pid !== process.pid);
  const links = await Promise.all(
    pids.map(async (pid) => {
      const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
      return Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
    }),
  );
  const open = new Set(links.flat());
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
  const sockets = tables.flatMap((text) => text.split('\n').map((line) => line.trim().split(/\s+/)));
  return sockets
    .filter(([, , , state, , , , , , inode]) => state === '0A' && open.has(`socket:[${inode}]`))
    .map(([, local = '']) => {
      const [host = '', port = ''] = local.split(':');
      // Four bytes at a time, in the order of the machine.
      const bytes = [...Buffer.from(host, 'hex').reverse()];
      const isLoopback6 = host === '00000000000000000000000001000000';
      return [isLoopback6 ? '::1' : bytes.join('.'), Number.parseInt(port, 16)];
    });
}
