import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { whyNoEngine } from '@workshop/backends/lane';
import { freePort } from '@workshop/backends/ports';
import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';

const noContainers = process.env.BACKENDS === 'local' || Boolean(await whyNoEngine());

const workshop = await copyWorkshop();
const { dir, run } = workshop;
// A project and ports of its own: one that runs here stays.
const env = {
  COMPOSE_PROJECT_NAME: `workshop-${process.pid}`,
  BACKENDS: 'containers',
  JAEGER_UI_PORT: String(await freePort()),
  OTLP_PORT: String(await freePort()),
  PROMETHEUS_PORT: String(await freePort()),
};
afterAll(async () => {
  if (!noContainers) await run(['down'], { env });
  await workshop[Symbol.asyncDispose]();
});

test.skipIf(noContainers)(
  'up starts a step, moves on to another one, and down ends it (local lane: no Docker)',
  async () => {
    const jaeger = `http://localhost:${env.JAEGER_UI_PORT}`;
    const prometheus = `http://localhost:${env.PROMETHEUS_PORT}`;
    const third = await run(['up', '03'], { env });
    expect(third.stdout).toContain(`jaeger       ${jaeger}`);
    expect(third.stdout).toContain(`prometheus   ${prometheus}`);
    expect(third.exitCode, third.stderr).toBe(0);
    expect((await fetch(`${prometheus}/-/ready`)).status).toBe(200);
    expect((await run([], { env })).stdout).toMatch(/Backends: +jaeger, prometheus/);

    expect((await run(['up', '02'], { env })).exitCode).toBe(0);
    expect((await fetch(jaeger)).status).toBe(200);
    await expect(fetch(prometheus)).rejects.toThrow();

    expect((await run(['down'], { env })).exitCode).toBe(0);
    await expect(fetch(jaeger)).rejects.toThrow();
  },
);

test.skipIf(noContainers)('up takes the playground when it is at that step (local lane: no Docker)', async () => {
  await run(['begin', '03']);
  expect((await run(['up'], { env })).exitCode).toBe(0);
  const format = '{{ index .Config.Labels "com.docker.compose.project.working_dir" }}';
  const { stdout } = await execa('docker', ['inspect', '-f', format, `${env.COMPOSE_PROJECT_NAME}-jaeger-1`]);
  expect(stdout).toBe(workshop.playground);
});

test.skipIf(noContainers)(
  'pull --save and --load: a bundle, one cut short, and none (local lane: no Docker)',
  async () => {
    const without = { env: { ...env, WITHOUT: process.env.WITHOUT ?? '' } };
    const bundle = join(dir, 'images.tar');
    const saved = await run(['pull', '--save', bundle], without);
    expect(saved.exitCode, saved.stderr).toBe(0);
    expect((await run(['pull', '--load', bundle], without)).stdout).toBe('The images of all steps are here.');

    const { size } = await stat(bundle);
    await writeFile(bundle, (await readFile(bundle)).subarray(0, size / 2));
    const cut = await run(['pull', '--load', bundle], without);
    expect(cut.stderr).toContain(`${bundle} is no bundle, or is cut short`);
    expect(cut.exitCode).toBe(1);

    const none = await run(['pull', '--load', join(dir, 'none.tar')], without);
    expect(none.stderr).toContain('There is no file');
    expect(none.exitCode).toBe(1);
  },
);
