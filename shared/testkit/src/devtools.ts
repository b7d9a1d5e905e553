import { mkdtemp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { keep, type TakeDown } from './keep.ts';

const START_TIMEOUT_MS = 10_000;

export type Devtools = { url: string; stop: TakeDown };

/**
 * Starts autotel-devtools, an OTLP receiver with a page, on `port` or else the next free one. It ends with this process.
 * Throws an Error with what it printed when it does not start.
 */
export async function startDevtools(port: number): Promise<Devtools> {
  const cli = join(createRequire(import.meta.url).resolve('autotel-devtools'), '..', 'cli.js');
  // OTLP over gRPC is not used here; port 0 takes none that others need.
  const child = execa(process.execPath, [cli, '--port', String(port), '--grpc-port', '0'], {
    stdin: 'ignore',
    all: true,
    reject: false,
    cleanup: false,
    detached: true,
  });
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  const stop = await keep(folder, 'process', String(child.pid));
  let printed = '';
  const url = await new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), START_TIMEOUT_MS);
    child.all.on('data', (chunk) => {
      printed += chunk;
      const address = /UI:\s+(http:\/\/\S+)/.exec(printed)?.[1];
      if (address) resolve(address);
    });
    child.finally(() => resolve(undefined)).catch(() => {});
    timer.unref();
  });
  if (url) return { url: url.replace('127.0.0.1', 'localhost'), stop };
  await stop();
  throw new Error(`autotel-devtools did not start. It printed:\n${printed}`);
}
