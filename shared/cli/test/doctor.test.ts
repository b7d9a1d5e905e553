import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { doctor } from './run-doctor.ts';

type Finding = { name: string; state: string; found: string; remedy?: string };

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
