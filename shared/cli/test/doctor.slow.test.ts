import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { doctor } from './run-doctor.ts';

test.skipIf(process.platform === 'win32')(
  'an engine that hangs does not hold it up (Windows: no sockets)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'workshop-'));
    const socket = join(folder, 'docker.sock');
    const silent = createServer().listen(socket);
    const env = { DOCKER_HOST: `unix://${socket}`, BACKENDS: '' };
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
