import { backends, localLane } from '@workshop/testkit/backends';
import { promtool } from '@workshop/testkit/promtool';
import { execa } from 'execa';
import { describe, test } from 'vitest';

describe.skipIf(localLane)(
  'the running configuration (local lane: there is no Collector)',
  { tags: 'holds-before' },
  () => {
    test.concurrent('collector.yaml is valid', async ({ expect }) => {
      const validate = ['/otelcol-contrib', 'validate', '--config=/etc/otelcol-contrib/config.yaml'];
      expect(await compose('exec', '--no-TTY', 'collector', ...validate)).toMatchObject({ exitCode: 0 });
    });

    test.concurrent('nothing in it is deprecated', async ({ expect }) => {
      const { all } = await compose('logs', '--no-log-prefix', 'collector');
      expect(all).toContain('Everything is ready');
      // Only a running Collector says so.
      expect(all.split('\n').filter((line) => /deprecat/i.test(line))).toEqual([]);
    });

    test.concurrent('the alert rules pass promtool check rules and their unit tests', async ({ expect }) => {
      expect(await promtool(['check', 'rules', 'alerts.yml'])).toMatchObject({ exitCode: 0 });
      expect(await promtool(['check', 'config', '--syntax-only', 'prometheus.yml'])).toMatchObject({ exitCode: 0 });
      expect(await promtool(['test', 'rules', 'alerts.test.yml'])).toMatchObject({ exitCode: 0 });
    });
  },
);

async function compose(...args: string[]) {
  const command = ['compose', '--project-name', String(backends.project), ...args];
  const { exitCode, all } = await execa('docker', command, { all: true, reject: false });
  return { exitCode, all };
}
