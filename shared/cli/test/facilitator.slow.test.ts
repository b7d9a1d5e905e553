import { join } from 'node:path';
import { composeProject } from '@workshop/backends/compose';
import { chooseLane } from '@workshop/backends/lane';
import { freePort } from '@workshop/backends/ports';
import { prometheus } from '@workshop/backends/prometheus';
import { root } from '@workshop/lessons/steps';
import { cleanEnv } from '@workshop/testkit/app';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { faults } from './facilitator.ts';

type Alert = { state: string; labels: Record<string, string> };

const step = join(root, 'steps', '05-collector-grafana');
const { lane } = await chooseLane(step);

describe.skipIf(lane === 'local')(
  "the guide's faults fire its alerts and no others (local lane: there are none)",
  () => {
    test.concurrent.for(faults)('fault $number: $cause', async ({ number, alerts, cause }, { expect }) => {
      await using compose = await composeProject();
      await compose.up(step);
      await using capstone = await startCapstone(compose.env, '--after', '2', number);
      const firing = () => firingIn(String(compose.env.PROMETHEUS_PORT));
      await expect.poll(firing, { timeout: 120_000, interval: 500 }).toEqual(alerts);
      expect(await capstone.end()).toContain(`It was this. ${cause}`);
    });
  },
);

test('the guide has faults', () => expect(faults).not.toEqual([]));

async function startCapstone(backends: Record<string, string>, ...args: string[]) {
  const backendPort = String(await freePort());
  const env = {
    ...cleanEnv(),
    ...backends,
    FRONTEND_PORT: String(await freePort()),
    BACKEND_PORT: backendPort,
    BACKEND_URL: `http://localhost:${backendPort}`,
  };
  const child = execa('node', ['capstone.ts', ...args], { cwd: step, env, extendEnv: false, reject: false });
  return {
    /** Ends it as Ctrl-C does. Returns what it has printed. */
    async end(): Promise<string> {
      child.kill('SIGINT');
      return (await child).stdout;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await child;
    },
  };
}

/** The alerts that fire, each with its service where it has one. */
async function firingIn(port: string): Promise<string[]> {
  const { alerts } = await prometheus<{ alerts: Alert[] }>('alerts', port);
  return alerts
    .filter(({ state }) => state === 'firing')
    .map(({ labels }) => [labels.alertname, labels.service_name].filter(Boolean).join(' '))
    .sort();
}
