import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

type Finding = { name: string; state: string; found: string; remedy?: string };

const root = join(import.meta.dirname, '../../..');

async function doctor(env: Record<string, string>, ...options: string[]) {
  return execa('workshop', ['doctor', ...options], {
    cwd: root,
    env,
    reject: false,
    preferLocal: true,
    localDir: root,
  });
}

test('every check has its line, and what it finds wrong its remedy', async () => {
  const { stdout, exitCode } = await doctor({ HTTPS_PROXY: 'http://me:secret@proxy:8080', NO_PROXY: 'localhost' });
  for (const name of ['Node', 'npm', 'Docker', 'Images', 'Memory', 'Firewall', 'Ports', 'Disk', 'Proxy']) {
    expect(stdout).toMatch(new RegExp(`^(ok|warn|FAIL) +${name} +\\S`, 'm'));
  }
  expect(stdout).toMatch(/warn +Proxy +set, and NO_PROXY lacks 127\.0\.0\.1.*\n +To do: set NO_PROXY/);
  expect(stdout).not.toContain('secret');
  expect(stdout).not.toContain('\x1b');
  expect(exitCode).toBe(0);
});

test('a port that is taken is named with its program', async () => {
  const server = createServer().listen(8081, '127.0.0.1');
  // Whoever has it already will do as well.
  await Promise.race([once(server, 'listening'), once(server, 'error')]);
  const { stdout } = await doctor({}, '--json');
  server.close();
  const ports = (JSON.parse(stdout) as Finding[]).find(({ name }) => name === 'Ports');
  expect(ports).toMatchObject({ state: 'warn', found: expect.stringMatching(/8081 \(.+\)/) });
});

test.skipIf(process.platform === 'win32')(
  'an engine that hangs does not hold it up (Windows: no sockets)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'workshop-'));
    const socket = join(folder, 'docker.sock');
    const silent = createServer().listen(socket);
    const env = { DOCKER_HOST: `unix://${socket}` };
    const { stdout, exitCode, durationMs } = await doctor(env);
    expect(stdout).toMatch(/warn +Docker +(the Docker engine does not answer|Docker is not installed).*\n +To do: /);
    expect(exitCode).toBe(0);
    console.log(`It took ${(durationMs / 1000).toFixed(1)} s.`);
    // 5 s at most is the aim; a busy machine takes a little more.
    expect(durationMs).toBeLessThan(10_000);

    const strict = await doctor({ ...env, BACKENDS: 'containers' });
    expect(strict.stdout).toMatch(/FAIL +Docker/);
    expect(strict.exitCode).toBe(1);
    silent.close();
    await rm(folder, { recursive: true });
  },
);
