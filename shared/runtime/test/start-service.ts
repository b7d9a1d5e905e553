import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { execa } from 'execa';
import getPort from 'get-port';
import { expect, vi } from 'vitest';

/** Starts `service.ts` and waits until it listens. Ended by `await using`. */
export async function startService(env: Record<string, string> = {}) {
  const port = await getPort();
  const child = execa(process.execPath, [join(import.meta.dirname, 'service.ts'), String(port)], {
    env: { npm_lifecycle_event: '', ...env },
    reject: false,
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  await vi.waitFor(() => expect(stdout, 'the service does not listen').toContain('listening on'), { timeout: 20_000 });
  return {
    port,
    /** The questions that it was asked. */
    asked: () => [...stdout.matchAll(/^asked: (.*)$/gm)].map(([, question]) => question),
    /** Sends `request` as it is, byte by byte, and reads until the service closes the connection. */
    async send(request: string) {
      const socket = connect(port, '127.0.0.1');
      socket.write(request, 'latin1');
      return readResponse(await text(socket));
    },
    /** POST /ask with these lines as the only headers besides the length of `body`. */
    post(headers: string[], body = '{"question":"hello"}') {
      const lines = ['POST /ask HTTP/1.1', ...headers, `Content-Length: ${body.length}`, 'Connection: close'];
      return this.send(`${lines.join('\r\n')}\r\n\r\n${body}`);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await child;
    },
  };
}

function readResponse(response: string) {
  const [head = '', body = ''] = response.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(': ')));
  return { status: Number(statusLine.split(' ')[1]), headers: headers as Record<string, string>, body };
}
