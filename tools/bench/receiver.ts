import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startBackends } from '@workshop/backends/start';

type Receiver = { name: string; env: Record<string, string>; stop: () => Promise<void> };

/** What the step sends to: its backends in the lane at hand. */
export async function startReceiver(step: string): Promise<Receiver> {
  if (!existsSync(join(step, 'compose.yaml'))) return { name: 'stdout', env: {}, stop: async () => {} };
  const { backends, stop } = await startBackends(step);
  return { name: backends.lane, env: backends.env, stop };
}
