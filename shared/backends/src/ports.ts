import getPort from 'get-port';

// Below the ports that systems give to outgoing connections: one of those could take a port before it is used.
const FIRST = 20_000;
const COUNT = 10_000;
const TRIES = 20;

/** A free port of this machine. */
export async function freePort(): Promise<number> {
  return getPort({ port: Array.from({ length: TRIES }, () => FIRST + Math.floor(Math.random() * COUNT)) });
}

/** The first of two free ports that follow one another: for the metrics of an app, or of two services. */
export async function freePortPair(): Promise<number> {
  for (;;) {
    const first = await freePort();
    if ((await getPort({ port: first + 1 })) === first + 1) return first;
  }
}
