#!/usr/bin/env node
// Runs the services of a step, each in a process of its own: `workshop-services frontend backend` in the step's folder.
import './env.js';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readArguments, wrongUsage } from './arguments.ts';
import { onParentEnd } from './parent.ts';
import { settingsHelp } from './settings.ts';
import { printable } from './text.ts';

const help = `Usage: npm start -- [--set NAME=VALUE]

Runs the services of this step. Ctrl-C ends them. To ask a question, open the page that the frontend names.

${settingsHelp}`;

const names = readNames();
const firstMetricsPort = Number(process.env.OTEL_EXPORTER_PROMETHEUS_PORT || 8000);
const width = Math.max(...names.map(({ length }) => length));

const services = names.map((name, i) => {
  const service = fork(sourceOf(name), {
    execArgv: ['--import', './src/telemetry.ts'],
    env: {
      ...process.env,
      // Names the service; both have the same telemetry.ts.
      OTEL_SERVICE_NAME: name,
      OTEL_EXPORTER_PROMETHEUS_PORT: String(firstMetricsPort + i),
      npm_lifecycle_event: undefined, // it is this process that waits for npm's end
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

let ending = false;
/** Why output was not written, as when the disk is full. */
let outputError: string | undefined;

// Each of them ends in its own time; Ctrl-C reaches them by itself, a signal to this process alone does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    ending = true;
    for (const service of services) service.kill(signal);
  });
}
onParentEnd(endAll);
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    // EPIPE: whoever read our output has gone, as `head` does.
    if (code !== 'EPIPE') outputError ??= code;
    endAll();
  });
}

// One without the other is no use.
const codes = services.map(async (service, i) => {
  const [code, signal] = await once(service, 'exit');
  const how = signal ?? `exit code ${code}`;
  if (!ending) console.error(`The service ${names[i]} has ended (${how}). Now the other one is ended too.`);
  endAll();
  return Number(code ?? 1);
});
const code = (await Promise.race(codes)) || 0;
await Promise.all(codes);
if (outputError) console.error(`The output could not be written (${outputError}).`);
process.exitCode = outputError ? 1 : code;

/** The services end when their channel closes: also on Windows, which has no signals, and when this process is killed. */
function endAll(): void {
  ending = true;
  for (const service of services) if (service.connected) service.disconnect();
}

/** The services that the command line names, of those in this folder. */
function readNames(): string[] {
  const services = readArguments(help);
  const unknown = services.find((name) => !existsSync(sourceOf(name)));
  if (unknown) wrongUsage(`There is no service '${unknown}' in this folder.`, help);
  return services;
}

function sourceOf(service: string): string {
  return join('src', `${service}.ts`);
}
