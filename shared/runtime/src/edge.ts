// What a service asks of every request before the lesson's code sees it.
import { type ServerOptions, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Request, RequestHandler } from 'express';
import helmet from 'helmet';

/** How long a whole request may take to arrive. The answer may take longer. */
const ARRIVAL_TIMEOUT_MS = 10_000;

export const limits: ServerOptions = {
  headersTimeout: ARRIVAL_TIMEOUT_MS,
  requestTimeout: ARRIVAL_TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
  requireHostHeader: false, // Node would refuse without a word of why. `refuseForeignHosts` does it.
};

/** The page needs its own files, and the empty icon. It is not served over TLS. */
export const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      connectSrc: ["'self'"],
      imgSrc: ['data:'],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
  strictTransportSecurity: false,
});

/**
 * Refuses a request whose Host is not a name of this machine. A page from elsewhere can have its own name resolved to
 * 127.0.0.1 (DNS rebinding), and would then be allowed to ask, at the cost of whoever owns the key of the model.
 */
export const refuseForeignHosts: RequestHandler = (request, response, next) => {
  if (isForThisMachine(request)) return next();
  const message =
    `This service answers only as localhost: open http://localhost:${request.socket.localPort}. ` +
    'Is it known to you by another name? Allow that name: npm start -- --set FRONTEND_HOSTS=the.name';
  response.status(421).json({ error: { type: 'misdirected', message } });
};

function isForThisMachine({ headersDistinct, socket, url }: Request): boolean {
  const [host = '', ...others] = headersDistinct.host ?? [];
  const name = host.toLowerCase().replace(/:\d*$/, '');
  // A URL in place of the path names a host too, which then counts.
  if (others.length > 0 || !url.startsWith('/')) return false;
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(name) || otherNames(socket.localPort).includes(name);
}

/** Names that FRONTEND_HOSTS adds, and the one that GitHub Codespaces gives to a forwarded port. */
function otherNames(port: number | undefined): string[] {
  const { FRONTEND_HOSTS = '', CODESPACE_NAME, GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN: domain } = process.env;
  const names = FRONTEND_HOSTS.toLowerCase().split(',');
  if (CODESPACE_NAME && domain) names.push(`${CODESPACE_NAME}-${port}.${domain}`.toLowerCase());
  return names.map((name) => name.trim()).filter(Boolean);
}

/** Answers what Node gives up before there is a request: a sender that is too slow, headers that are too large, no HTTP. */
export function refuseUnreadable({ code }: NodeJS.ErrnoException, socket: Duplex): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const { status, message } = describe(code);
  const body = JSON.stringify({ error: { type: 'bad_request', message } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function describe(code: string | undefined): { status: number; message: string } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const seconds = ARRIVAL_TIMEOUT_MS / 1_000;
    return { status: 408, message: `The request did not arrive within ${seconds} s. Send all of it at once.` };
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { status: 431, message: 'The headers are too large: 16 KB are allowed. Send fewer or shorter ones.' };
  }
  return { status: 400, message: 'This cannot be read as HTTP/1.1. Does the address begin with http://?' };
}
