// Runs in the network of a container and beside its first process, and prints as JSON what it sees there.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

const TIMEOUT_MS = 2_000;

/** What to connect to, by its name: `host:port`. `{machine}` is what the container runs on. */
const targets: Record<string, string> = JSON.parse(String(process.argv[2]));

// https://www.kernel.org/doc/html/latest/filesystems/proc.html
const status = readFileSync('/proc/1/status', 'utf8');
const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1];
const routes = readFileSync('/proc/net/route', 'utf8').split('\n');
const [, , hex] = routes.find((line) => line.split('\t')[1] === '00000000')?.split('\t') ?? [];
const gateway = hex && [...Buffer.from(hex, 'hex').reverse()].join('.');

const open = await Promise.all(
  Object.entries(targets).map(async ([name, address]) => ((await isOpen(address)) ? [name] : [])),
);
console.log(
  JSON.stringify({
    user: field('Uid'),
    capabilities: field('CapBnd'),
    noNewPrivileges: field('NoNewPrivs'),
    leadsOut: Boolean(gateway),
    reaches: open.flat().sort(),
  }),
);

async function isOpen(address: string): Promise<boolean> {
  const [host, port] = address.replace('{machine}', String(gateway)).split(':');
  const socket = connect({ host, port: Number(port), timeout: TIMEOUT_MS });
  const opened = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    for (const event of ['error', 'timeout']) socket.once(event, () => resolve(false));
  });
  socket.destroy();
  return opened;
}
