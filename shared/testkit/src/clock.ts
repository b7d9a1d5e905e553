import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * A clock for programs that get `env`: it jumps an hour forward and back, as when somebody sets the machine's. What
 * measures durations does not jump there either: `performance.now()` and timers.
 */
export async function startClock() {
  const folder = await mkdtemp(join(tmpdir(), 'clock '));
  const ahead = join(folder, 'ahead');
  const preload = pathToFileURL(join(import.meta.dirname, 'clock-preload.js'));
  return {
    env: { NODE_OPTIONS: `--import ${preload}`, CLOCK_FILE: ahead },
    forward: () => writeFile(ahead, ''),
    back: () => rm(ahead),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
