import getPort from 'get-port';

/** The first of two free ports that follow one another: for the metrics of an app, or of two services. */
export async function freePortPair(): Promise<number> {
  for (;;) {
    const first = await getPort();
    if ((await getPort({ port: first + 1 })) === first + 1) return first;
  }
}
