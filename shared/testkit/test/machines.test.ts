import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..', '..', '..');

test('the public workflow has the gates of .ci/run, on three systems and in both lanes', async () => {
  const workflow = parse(await readFile(join(root, '.github/workflows/ci.yml'), 'utf8'));
  const { strategy, steps } = workflow.jobs.test;
  const commands = steps.flatMap(({ run }: { run?: string }) => run ?? []);
  const gates = (await readFile(join(root, '.ci/run'), 'utf8')).match(/^npm .*$/gm) ?? [];
  const once = [...new Set(gates.map((gate) => gate.replace(/ -- --filter=.*/, '')))];
  expect(once).toHaveLength(7);
  expect(commands).toEqual(once);
  expect(workflow.concurrency['cancel-in-progress']).toBe(true);

  const machines = strategy.matrix.include.map(({ os, node, backends }: Record<string, unknown>) =>
    [os, node, backends].join(' '),
  );
  for (const os of ['ubuntu', 'macos', 'windows'])
    for (const node of [20, 24]) expect(machines).toContain(`${os}-latest ${node} local`);
  expect(machines).toContain('ubuntu-latest 24 containers');
});

test('the workflows may only read, use actions by commit, and ask for known vulnerabilities', async () => {
  const texts = (await Array.fromAsync(glob('.github/workflows/*.yml', { cwd: root }))).map((path) =>
    readFile(join(root, path), 'utf8'),
  );
  for (const text of await Promise.all(texts)) {
    expect(parse(text).permissions).toEqual({ contents: 'read' });
    const actions = text.match(/uses: .*/g) ?? [];
    expect(actions.filter((action) => !/^uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
    const checkouts = actions.filter((action) => action.includes('actions/checkout'));
    expect(text.match(/persist-credentials: false/g)).toHaveLength(checkouts.length);
  }
  expect((await Promise.all(texts)).join('\n')).toContain('- run: npm audit --audit-level=high\n');
});

test('the devcontainer forwards the ports of every compose.yaml and says what it needs', async () => {
  const devcontainer = JSON.parse(await readFile(join(root, '.devcontainer/devcontainer.json'), 'utf8'));
  const { services } = parse(await readFile(join(root, 'steps/05-collector-grafana/compose.yaml'), 'utf8'));
  const published = Object.values<{ ports: string[] }>(services).flatMap(({ ports }) =>
    ports.flatMap((port) => [...port.matchAll(/-(\d+)\}/g)].map(([, number]) => Number(number))),
  );
  // The Collector's health is asked by programs alone.
  expect(devcontainer.forwardPorts).toEqual(expect.arrayContaining(published.filter((port) => port !== 13_133)));
  expect(devcontainer.image).toMatch(/:24-trixie$/);
  expect(Object.values(devcontainer.features)).toEqual([{ moby: false }]);
  expect(devcontainer.hostRequirements).toMatchObject({ memory: '4gb' });
});
