#!/usr/bin/env node
// Runs the services of a step, each in a process of its own: `workshop-services frontend backend` in the step's folder.
import './env.js';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { printable } from './text.ts';

const names = process.argv.slice(2);
const firstMetricsPort = Number(process.env.OTEL_EXPORTER_PROMETHEUS_PORT || 8000);
const width = Math.max(...names.map(({ length }) => length));

const services = names.map((name, i) => {
  const service = fork(join('src', `${name}.ts`), {
    execArgv: ['--import', './src/telemetry.ts'],
    env: {
      ...process.env,
      // Names the service; both have the same telemetry.ts.
      OTEL_SERVICE_NAME: name,
      OTEL_EXPORTER_PROMETHEUS_PORT: String(firstMetricsPort + i),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const [from, to] of [
    [service.stdout, process.stdout],
    [service.stderr, process.stderr],
  ] as const) {
    if (from)
      createInterface({ input: from }).on('line', (line) => to.write(printable(`${name.padEnd(width)} | ${line}\n`)));
  }
  return service;
});

// Each of them ends in its own time; Ctrl-C reaches them by itself, a signal to this process alone does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    for (const service of services) service.kill(signal);
  });
}

// One without the other is no use. They end when their channel closes: also on Windows, which has no signals.
const codes = services.map(async (service) => {
  const [code] = await once(service, 'exit');
  for (const other of services) if (other.connected) other.disconnect();
  return Number(code ?? 1);
});
process.exitCode = (await Promise.race(codes)) || 0;
await Promise.all(codes);
