import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startService } from './start-service.ts';

const JSON_TYPE = 'Content-Type: application/json';
const LOCAL = 'Host: localhost';

let service: Awaited<ReturnType<typeof startService>>;
beforeAll(async () => {
  service = await startService({ FRONTEND_HOSTS: ' My.Laptop, other.example' });
}, 30_000);
afterAll(() => service[Symbol.asyncDispose]());

describe('whose host is', () => {
  test.each([
    'localhost',
    'localhost:9999',
    'LOCALHOST',
    '127.0.0.1:8080',
    '127.1.2.3',
    '[::1]:8080',
    'my.laptop:443',
    'other.example',
  ])('%s is answered', async (host) => {
    expect(await service.post([`Host: ${host}`, JSON_TYPE])).toMatchObject({ status: 200 });
  });

  test.each<[name: string, ...headers: string[]]>([
    ['that of another machine', 'Host: evil.example:8080'],
    ['one that begins like this machine', 'Host: localhost.evil.example'],
    ['one that begins like a loopback address', 'Host: 127.0.0.1.evil.example'],
    ['one that ends like this machine', 'Host: evil-localhost'],
    ['another address', 'Host: 192.168.0.2'],
    ['one that ends like FRONTEND_HOSTS', 'Host: not.other.example'],
    ['behind a user name', 'Host: evil.example@localhost'],
    ['a user name', 'Host: localhost@evil.example'],
    ['followed by a path', 'Host: localhost/evil'],
    ['no host', 'Host: ::::'],
    ['empty', 'Host:'],
    ['missing'],
    ['there twice', LOCAL, 'Host: evil.example'],
  ])('%s is refused with 421, and told what to set', async (_name, ...headers) => {
    const asked = service.asked();
    const { status, body } = await service.post([...headers, JSON_TYPE]);
    expect(status).toBe(421);
    expect(body).toContain(`open http://localhost:${service.port}`);
    expect(body).toContain('npm start -- --set FRONTEND_HOSTS=the.name');
    expect(service.asked()).toEqual(asked);
  });

  test.each([
    ['a URL of another host in place of the path', `GET http://evil.example/ HTTP/1.1\r\n${LOCAL}`],
    ['HTTP/1.0 without a host', 'GET / HTTP/1.0'],
  ])('%s is refused too', async (_name, request) => {
    expect(await service.send(`${request}\r\nConnection: close\r\n\r\n`)).toMatchObject({ status: 421 });
  });

  test('that of a port which GitHub Codespaces forwards is answered there, and not elsewhere', async () => {
    const domain = 'app.github.dev';
    await using codespace = await startService({
      CODESPACE_NAME: 'Fuzzy-space-waddle-abc123',
      GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN: domain,
    });
    const host = `Host: fuzzy-space-waddle-abc123-${codespace.port}.${domain}`;
    expect(await codespace.post([host, JSON_TYPE])).toMatchObject({ status: 200 });
    // Its proxy may as well rewrite it.
    expect(await codespace.post([`Host: localhost:${codespace.port}`, JSON_TYPE])).toMatchObject({ status: 200 });
    expect(await codespace.post([`Host: other-${codespace.port}.${domain}`, JSON_TYPE])).toMatchObject({ status: 421 });
    expect(await service.post([host, JSON_TYPE])).toMatchObject({ status: 421 });
  });
});

// Without asking first (CORS preflight), a page from elsewhere can send these only.
test.each([
  ['text', ['Content-Type: text/plain']],
  ['text that names JSON', ['Content-Type: text/plain; application/json']],
  ['a form', ['Content-Type: application/x-www-form-urlencoded']],
  ['a form with files', ['Content-Type: multipart/form-data; boundary=application/json']],
  ['bytes without a type', []],
])('what a page from elsewhere may send, %s, is not asked, and told what was expected', async (_name, headers) => {
  const asked = service.asked();
  const { status, body } = await service.post([LOCAL, 'Origin: http://evil.example', ...headers]);
  expect(status).toBe(400);
  expect(JSON.parse(body).error).toEqual({
    type: 'bad_request',
    message:
      'There is no question in the body. Send JSON like {"question": "What is a trace?"}, ' +
      'with the header content-type: application/json.',
  });
  expect(service.asked()).toEqual(asked);
});

test('no page from elsewhere gets the permission to send JSON', async () => {
  const lines = [LOCAL, 'Origin: http://evil.example', 'Access-Control-Request-Method: POST'];
  const { headers } = await service.send(`OPTIONS /ask HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`);
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
});

describe('every answer is JSON, says what happened, and carries the headers that protect its page', () => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\n${LOCAL}\r\nConnection: close\r\n\r\n`;
  const post = (body: string) =>
    `POST /ask HTTP/1.1\r\n${LOCAL}\r\n${JSON_TYPE}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
  test.each([
    ['200', 200, post('{"question":"hello"}'), 'hello'],
    ['an unknown path', 404, get('/nothing'), 'Questions go to POST /ask.'],
    ['no JSON', 400, post('{"question":'), 'The body cannot be read (HTTP 400). Send JSON like'],
    ['a large body', 413, post('x'.repeat(200_000)), 'The body is too large: 102400 bytes are allowed'],
    ['a bug', 500, post('{"question":"bug"}'), 'A bug in this service'],
    ['another host', 421, get('/').replace('localhost', 'evil.example'), 'answers only as localhost'],
  ])('%s', async (_name, status, request, message) => {
    const response = await service.send(request);
    expect(response).toMatchObject({
      status,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
      },
      body: expect.stringContaining(message),
    });
    expect(Object.keys(response.headers)).not.toContain('x-powered-by');
  });

  // Node refuses these before there is a request.
  test.each([
    ['large headers', 431, `GET / HTTP/1.1\r\n${LOCAL}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '16 KB are allowed'],
    ['https', 400, '\x16\x03\x01\x02\x00\x01\x00', 'Does the address begin with http://?'],
  ])('%s', async (_name, status, request, message) => {
    expect(await service.send(request)).toMatchObject({
      status,
      headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' },
      body: expect.stringContaining(message),
    });
  });
});
