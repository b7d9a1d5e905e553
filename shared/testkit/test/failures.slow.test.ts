import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startDevtools } from '@workshop/backends/devtools';
import { startBackends } from '@workshop/backends/start';
import { execa } from 'execa';
import { describe, test } from 'vitest';
import { alive, family, freePorts, jaegerCompose, noContainers, prometheus, smallStep, steps } from './small-step.ts';

const windows = process.platform === 'win32';
const cli = (await execa('docker', ['--version'], { reject: false })).exitCode === 0;
/** The longest that anyone waits for an error. */
const PATIENCE_MS = 10_000;

describe.concurrent('containers cannot be had', () => {
  const cases = [
    {
      name: 'Docker is not installed',
      env: () => ({ PATH: '' }),
      reason: 'Docker is not installed: https://docs.docker.com/get-started/get-docker',
    },
    {
      name: 'no engine runs (needs the docker command)',
      skip: !cli || windows,
      env: (dir: string) => ({ DOCKER_HOST: `unix://${dir}/none.sock` }),
      reason: /no Docker engine answers: start Docker\. It says: .*Cannot connect to the Docker daemon/,
    },
    {
      name: 'the engine hangs (needs the docker command and sockets of POSIX)',
      skip: !cli || windows,
      patience: PATIENCE_MS + 5_000,
      env: async (dir: string) => {
        await listening(createServer(() => {}).listen(join(dir, 'hangs.sock')));
        return { DOCKER_HOST: `unix://${dir}/hangs.sock` };
      },
      reason: 'the Docker engine does not answer within 4 s: restart Docker',
    },
    {
      name: 'Compose is missing (needs shell scripts)',
      skip: windows,
      env: async (dir: string) => {
        await writeFile(join(dir, 'docker'), '#!/bin/sh\n[ "$1" != compose ]\n');
        await chmod(join(dir, 'docker'), 0o755);
        return { PATH: dir };
      },
      reason: 'Docker Compose v2 is missing: https://docs.docker.com/compose/install',
    },
    {
      name: `an image is missing and cannot be pulled (${noContainers ?? 'a registry that refuses'})`,
      skip: noContainers,
      compose: () => 'services:\n  jaeger:\n    image: 127.0.0.1:1/nothing:1',
      reason: /the image 127\.0\.0\.1:1\/nothing:1 is not here and cannot be pulled: .*connection refused/,
    },
    {
      name: `an image is missing and cannot be pulled (${noContainers ?? 'a registry that hangs: Docker gives up'})`,
      skip: noContainers,
      patience: 70_000,
      compose: async () => `services:\n  jaeger:\n    image: 127.0.0.1:${await takenPort()}/nothing:1`,
      reason: /the image \S+ is not here and cannot be pulled: /,
    },
    {
      name: 'a registry is slow to begin, and is waited for (needs shell scripts)',
      skip: windows,
      patience: 25_000,
      env: async (dir: string) => {
        const pull = '[ "$1" != pull ] || { sleep 12; echo "manifest unknown" >&2; exit 1; }';
        await writeFile(join(dir, 'docker'), `#!/bin/sh\n${pull}\n[ "$1" != image ]\n`);
        await chmod(join(dir, 'docker'), 0o755);
        return { PATH: `${dir}:/usr/bin:/bin` };
      },
      reason: /the image \S+ is not here and cannot be pulled: manifest unknown/,
    },
    {
      name: `Grafana's image cannot be pulled (${noContainers ?? 'a registry that refuses'})`,
      skip: noContainers,
      compose: () => `${jaegerCompose(freePorts)}\n  grafana:\n    image: 127.0.0.1:1/grafana:1`,
      reason: /the image 127\.0\.0\.1:1\/grafana:1 is not here .* \(WITHOUT=grafana does without it\)/,
    },
  ];

  for (const { name, skip, env, compose, reason, patience = PATIENCE_MS } of cases) {
    test.skipIf(skip)(`${name}: BACKENDS=containers fails`, async ({ expect }) => {
      await using step = await smallStep(compose ? { 'compose.yaml': await compose() } : {});
      const started = Date.now();
      const { all, stdout, exitCode } = await step.test({ BACKENDS: 'containers', ...(await env?.(step.dir)) });

      expect(Date.now() - started).toBeLessThan(patience);
      expect(exitCode).toBe(1);
      expect(lines(stdout).first).toMatch('Backends: none. BACKENDS=containers, but ');
      expect(lines(stdout).first).toMatch(reason);
      expect(lines(stdout).last).toBe(lines(stdout).first);
      expect(all).toContain(`Error: ${lines(stdout).first?.replace('Backends: none. ', '')}`);
      expect(all).not.toMatch(/No test files found|^ +at /m);
      expect(await step.kept()).toEqual([]);
      if (/a registry (hangs|is slow)/.test(name)) expect(stdout).toContain('Still waiting for the registry of ');
    });

    // What hangs takes its time: once is enough.
    if (/hangs|slow/.test(name)) continue;
    test.skipIf(skip)(`${name}: without BACKENDS it is the local lane`, async ({ expect }) => {
      await using step = await smallStep(compose ? { 'compose.yaml': await compose() } : {});
      const { stdout, exitCode } = await step.test(await env?.(step.dir));

      expect(exitCode).toBe(0);
      expect(lines(stdout).first).toMatch('Backends: local (');
      expect(lines(stdout).first).toMatch(reason);
      expect(lines(stdout).last).toMatch('Backends: local (');
      expect(lines(stdout).last).toMatch(reason);
    });
  }
});

test.skipIf(noContainers)(
  `WITHOUT=grafana leaves it out, and the last line counts what is not proved (${noContainers ?? 'can be tried here'})`,
  async ({ expect }) => {
    await using step = await smallStep({
      'compose.yaml': `${jaegerCompose(freePorts)}\n  grafana:\n    image: 127.0.0.1:1/grafana:1`,
      'test/small.test.ts': `
        import { backends, noGrafana } from '@workshop/testkit/backends';
        import { describe, expect, test } from 'vitest';

        test('Jaeger runs', () => expect(backends.project).toBeTruthy());
        describe.skipIf(noGrafana)(\`in Grafana (\${noGrafana})\`, () => {
          test('one', () => {});
          test('two', () => {});
        });`,
    });
    const { stdout, exitCode } = await step.test({ BACKENDS: 'containers', WITHOUT: 'grafana' });

    expect(exitCode).toBe(0);
    expect(lines(stdout).first).toBe('Backends: containers, WITHOUT=grafana.');
    expect(lines(stdout).last).toContain('Not proved, as they need grafana: 2 tests.');
  },
);

test('WITHOUT leaves out nothing that the tests need', async ({ expect }) => {
  await using step = await smallStep({});
  const { all, exitCode } = await step.test({ BACKENDS: 'local', WITHOUT: 'jaeger' });

  expect(exitCode).toBe(1);
  expect(all).toContain('Error: WITHOUT is jaeger: what can be left out is grafana.');
});

test('a wrong BACKENDS is named', async ({ expect }) => {
  await using step = await smallStep({});
  const { all, exitCode } = await step.test({ BACKENDS: 'kubernetes' });

  expect(exitCode).toBe(1);
  expect(all).toContain(
    'Error: BACKENDS is kubernetes: it must be containers or local, or unset for what is possible here.',
  );
});

describe.skipIf(noContainers).concurrent(`containers that fail (${noContainers ?? 'can be tried here'})`, () => {
  const jaegerDies = jaegerCompose(freePorts, '    command: [--no-such-flag]');
  const cases: { name: string; compose: () => string | Promise<string>; config?: string; error: RegExp[] }[] = [
    {
      name: 'one that exits at once: its last lines',
      compose: () => jaegerDies,
      error: [/^jaeger \(\S+\) exited with code 1\. Its last lines:\n/, /unknown flag: --no-such-flag/],
    },
    {
      name: 'one that exits and is started again and again: its last lines',
      compose: () => `${jaegerDies}\n    restart: always`,
      error: [/^jaeger \(\S+\) (keeps restarting|exited)/, /unknown flag: --no-such-flag/],
    },
    {
      name: 'one of two that exits, the one that nothing is asked of: its last lines',
      compose: () => `${jaegerCompose(freePorts)}\n  silent:\n    image: ${prometheus}\n    command: [--no-such-flag]`,
      error: [/^silent \(\S+\) exited with code \d+\. Its last lines:\n/, /unknown long flag '--no-such-flag'/],
    },
    {
      name: 'a configuration with an error: the file and the line',
      compose: () =>
        [
          `services:\n  prometheus:\n    image: ${prometheus}`,
          `    ports: ["127.0.0.1:\${PROMETHEUS_PORT-9090}:9090"]`,
          `    volumes: ["\${PROMETHEUS_CONFIG-./prometheus.yml}:/etc/prometheus/prometheus.yml:ro"]`,
        ].join('\n'),
      config: 'global:\n  scrape_intervall: 1s\n',
      error: [/^prometheus \(\S+\) exited with code 2/, /prometheus\.yml.*line 2: field scrape_intervall not found/],
    },
    {
      name: 'a port that is taken: what to do',
      compose: async () => jaegerCompose(`    ports: ["127.0.0.1:${await takenPort()}:16686"]`),
      error: [
        /^The backends of .*compose\.yaml do not start/,
        /127\.0\.0\.1:\d+.*(in use|allocated)/,
        /A port is taken/,
      ],
    },
    {
      name: 'no free port in a range: what to do',
      compose: async () => {
        const port = await takenPorts(2);
        return jaegerCompose(`    ports: ["127.0.0.1:${port}-${port + 1}:16686"]`);
      },
      error: [/^The backends of .*compose\.yaml do not start/, /(in use|allocated)/, /A port is taken/],
    },
    {
      name: 'a compose.yaml that is no YAML: the file and the line',
      compose: () => 'services:\n  jaeger: [\n',
      error: [/^\S+compose\.yaml cannot be read: .* at line 3/],
    },
    {
      name: 'a compose.yaml that is empty: the file',
      compose: () => '',
      error: [/^\S+compose\.yaml cannot be read: it names no services/],
    },
    {
      name: 'a compose.yaml with a wrong key: the file and the key',
      compose: () => jaegerCompose('    portz: []'),
      error: [/compose\.yaml do not start\.\n.*services\.jaeger additional properties 'portz' not allowed/],
    },
  ];

  for (const { name, compose, config = '', error } of cases) {
    test(name, async ({ expect }) => {
      await using step = await smallStep({ 'compose.yaml': await compose(), 'prometheus.yml': config });
      const started = Date.now();
      const { message } = await startBackends(step.dir).then(
        () => Promise.reject(new Error('The containers start.')),
        (reason: Error) => reason,
      );
      expect(Date.now() - started).toBeLessThan(PATIENCE_MS);
      for (const pattern of error) expect(message).toMatch(pattern);
    });
  }
});

describe.concurrent('the receiver of the local lane', () => {
  test('moves to the next free port when its own is taken, and says so', async ({ expect }) => {
    const port = await takenPort();
    const { url, stop } = await startDevtools(port);
    const { ok } = await fetch(`${url}/healthz`);
    await stop();

    expect(ok).toBe(true);
    expect(Number(new URL(url).port)).toBeGreaterThan(port);
  });

  test('says so when there is no free port', async ({ expect }) => {
    const port = await takenPorts(20);
    await expect(startDevtools(port)).rejects.toThrow(
      new RegExp(`^autotel-devtools did not start on port ${port}\\. It printed:\n.*20 consecutive ports in use`),
    );
  });

  test.skipIf(windows).for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '`npm run local` ends on %s and leaves nothing (Windows has no signals)',
    async (signal, { expect }) => {
      await using step = await smallStep({});
      const env = { TMPDIR: step.temporary };
      const local = execa('npm', ['run', 'local'], {
        cwd: join(steps, '02-jaeger'),
        env,
        detached: true,
        reject: false,
      });
      let stdout = '';
      local.stdout.on('data', (chunk) => {
        stdout += chunk;
      });
      await expect.poll(() => stdout, { timeout: 20_000 }).toContain('Ctrl-C ends it.');
      const [, url] = /Traces, metrics and logs: (\S+)/.exec(stdout) ?? [];
      expect((await fetch(`${url}/healthz`)).ok).toBe(true);
      const pids = await family(Number(local.pid));
      expect(await step.kept()).toHaveLength(1);

      // A terminal signals the whole group; whoever stops npm, npm alone.
      process.kill(signal === 'SIGTERM' ? Number(local.pid) : -Number(local.pid), signal);
      const { stderr } = await local;

      expect(stderr).not.toMatch(/^ +at /m);
      await expect.poll(() => alive(pids), { timeout: 10_000 }).toEqual([]);
      await expect.poll(() => step.kept(), { timeout: 10_000 }).toEqual([]);
    },
  );
});

/** What is said first, after vitest's own banner, and last. */
function lines(stdout: string) {
  const said = stdout.split('\n').filter((line) => line.trim() && !/^ RUN |^Pulling |^Still waiting /.test(line));
  return { first: said[0], last: said.at(-1) };
}

/** A port that a server of ours holds; it accepts and never answers. */
async function takenPort(): Promise<number> {
  return takenPorts(1);
}

/** The first of some ports in a row that are held by servers of ours. */
async function takenPorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const servers = Array.from({ length: count }, (_, index) =>
      createServer(() => {}).listen(first + index, '127.0.0.1'),
    );
    const held = await Promise.allSettled(servers.map(listening));
    if (held.every(({ status }) => status === 'fulfilled')) return first;
    for (const server of servers) server.close();
  }
}

/** Waits for a server that does not keep these tests from ending. */
async function listening(server: ReturnType<typeof createServer>): Promise<void> {
  await once(server.unref(), 'listening');
}
