import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const START_TIMEOUT_MS = 10_000;

let started: Promise<string> | undefined;

/** Starts the embedded model, once per process, and returns its base URL. It ends with this process, also when that is killed. */
export function startEmbeddedModel(env: NodeJS.ProcessEnv): Promise<string> {
  started ??= start(env);
  return started;
}

async function start(env: NodeJS.ProcessEnv): Promise<string> {
  const child = fork(join(import.meta.dirname, 'embedded-model.ts'), {
    // Without the application's own --import, which would instrument the model.
    execArgv: [],
    env: { ...env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const gone = once(child, 'exit').then(() => undefined);
  const address = once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).then(([url]) =>
    String(url),
  );
  const url = await Promise.race([address, gone]).catch(() => undefined);
  if (!url) {
    child.kill('SIGKILL');
    throw new Error('The embedded model did not start. Run npm ci again, or name a provider in LLM_BASE_URL.');
  }
  // Neither the child nor its channel keeps this process alive.
  child.unref();
  child.channel?.unref();
  return `${url}/v1`;
}
