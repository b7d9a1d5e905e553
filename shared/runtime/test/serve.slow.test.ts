import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startService } from './start-service.ts';

const head = 'POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

test.concurrent.each([
  ['a body that comes byte by byte', `${head}Content-Length: 1000\r\n\r\n{"question":"`, 'x'],
  ['a body in pieces without end', `${head}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'],
  ['headers that come byte by byte', `${head}X: `, 'x'],
  ['a connection without a request', '', ''],
])('%s is given up after 10 s, and told why', async (_name, start, more) => {
  await using service = await startService();
  const socket = connect(service.port, '127.0.0.1');
  const sending = setInterval(() => socket.write(more), 250);
  socket.write(start);
  const answer = await text(socket).finally(() => clearInterval(sending));

  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(answer).toContain('The request did not arrive within 10 s. Send all of it at once.');
  expect(service.asked()).toEqual([]);
});
