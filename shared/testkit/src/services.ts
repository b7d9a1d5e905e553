import { freePort, freePortPair } from '@workshop/backends/ports';
import { expect, vi } from 'vitest';
import { startApp } from './app.ts';
import { appEnv } from './backends.ts';

export type Asked = { status: number; body: Record<string, unknown> & { traceId: string } };
export type Services = Awaited<ReturnType<typeof startServices>>;

/**
 * Starts a step's frontend and backend as its README does, `npm start`, on free ports, and waits until both listen.
 * `scraped` has Prometheus scrape them: one at a time. Ended by `await using`.
 */
export async function startServices(options: { env?: Record<string, string>; cwd?: string; scraped?: boolean } = {}) {
  const [frontend, backend] = [await freePort(), await freePort()];
  const url = `http://localhost:${frontend}`;
  const app = startApp([], {
    ...(options.cwd && { cwd: options.cwd }),
    env: {
      ...appEnv,
      ...(!options.scraped && { OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()) }),
      FRONTEND_PORT: String(frontend),
      BACKEND_PORT: String(backend),
      BACKEND_URL: `http://localhost:${backend}`,
      ...options.env,
    },
  });
  try {
    await vi.waitFor(() => expect(app.stdout.match(/listening on/g)).toHaveLength(2), { timeout: 20_000 });
  } catch {
    await app[Symbol.asyncDispose]();
    throw new Error(`The services do not both listen after 20 s. They printed:\n${app.stdout}${app.stderr}`);
  }

  return {
    app,
    url,
    backendUrl: `http://localhost:${backend}`,
    /** Posts a question to the frontend. */
    ask: (question: unknown, headers: Record<string, string> = {}) => post(url, { question }, headers),
    [Symbol.asyncDispose]: app[Symbol.asyncDispose],
  };
}

/** Posts to /ask; `body` goes out as it is when it is a text. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Asked> {
  const response = await fetch(`${url}/ask`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Asked['body'] };
}
