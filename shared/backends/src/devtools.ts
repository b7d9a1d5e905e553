import { mkdtemp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runKept, type TakeDown } from './keep.ts';

const START_TIMEOUT_MS = 10_000;

export type Devtools = {
  /** Its page and OTLP endpoint, on the port that it got. */
  url: string;
  /** Resolves when it has ended, by `stop` or by itself. */
  ended: Promise<void>;
  stop: TakeDown;
};

/**
 * Starts autotel-devtools, an OTLP receiver with a page, on `port` or else the next free one. It ends with this process.
 * Throws an Error with what it printed when it does not start.
 */
export async function startDevtools(port: number): Promise<Devtools> {
  const cli = join(createRequire(import.meta.url).resolve('autotel-devtools'), '..', 'cli.js');
  const folder = await mkdtemp(join(tmpdir(), 'otel-workshop-'));
  // OTLP over gRPC is not used here; port 0 takes none that others need.
  const args = [cli, '--host', '127.0.0.1', '--port', String(port), '--grpc-port', '0'];
  const { output, stop } = await runKept(folder, args);
  const ended = new Promise<void>((resolve) => output.once('close', resolve));
  let printed = '';
  const url = await new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), START_TIMEOUT_MS);
    ended.then(() => resolve(undefined));
    output.setEncoding('utf8').on('data', (chunk) => {
      printed += chunk;
      const address = /UI:\s+(http:\/\/\S+)/.exec(printed)?.[1];
      if (address) resolve(address);
    });
    timer.unref();
  });
  if (url) return { url: url.replace('127.0.0.1', 'localhost'), ended, stop };
  await stop();
  throw new Error(`autotel-devtools did not start on port ${port}. It printed:\n${printed.trim() || '(nothing)'}`);
}
