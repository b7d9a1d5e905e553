import { glob, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, freePortPair } from '@workshop/backends/ports';
import {
  makeKeys,
  makeLeak,
  makeWord,
  type Places,
  secretsIn,
  startIndiscreetProvider,
} from '@workshop/testkit/secrets';
import { test, vi } from 'vitest';
import { copyWorkshop } from './copy.ts';

type Workshop = Awaited<ReturnType<typeof copyWorkshop>>;

/** What is in the attendee's folders, a text for each file. */
async function readFolders({ dir }: Workshop): Promise<Places> {
  const paths = await Array.fromAsync(glob('playground{,.saved}/**/{*,.*}', { cwd: dir, withFileTypes: true }));
  const files = paths.filter((path) => path.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = files.map(async (file) => [file.slice(dir.length + 1), await readFile(file, 'latin1')]);
  return Object.fromEntries(await Promise.all(texts));
}

test.concurrent('the key of .env is in nothing that a command prints, and in no file of the attendee', async ({
  expect,
}) => {
  await using workshop = await copyWorkshop();
  const { dir, run, env: base } = workshop;
  const key = makeWord();
  await using provider = await startIndiscreetProvider(key);
  const settings = Object.entries(provider.env).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(dir, '.env'), settings.join(''));
  // An attendee may have it in the shell, too.
  const env = { ...base, ...provider.env, WORKSHOP_ENV_FILE: join(dir, '.env') };
  const places: Places = {};
  const say = async (...args: string[]) => {
    const { stdout, stderr } = await run(args, { env });
    places[args.join(' ')] = `${stdout}${stderr}`;
  };
  const ports = { FRONTEND_PORT: String(await freePort()), BACKEND_PORT: String(await freePort()) };
  const telemetry = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePortPair()),
  };
  Object.assign(env, ports, telemetry, { BACKEND_URL: `http://localhost:${ports.BACKEND_PORT}` });
  const services = run(['start', '04'], { env });
  let printed = '';
  services.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await say('begin', '01');
  for (const args of [['check'], ['hint'], ['diff'], []]) await say(...args);
  await Promise.all(['unauthorized', 'reply'].map((question) => say('start', '01', question)));
  await say('begin', '01', '--solved');
  await say('check', '--json');
  await say('begin', '--list');

  await vi.waitFor(() => expect(printed.match(/listening on/g)).toHaveLength(2), { timeout: 30_000 });
  for (const question of ['unauthorized', 'reply']) await say('ask', question);
  services.kill('SIGTERM');
  const { stdout, stderr } = await services;
  places['start 04'] = `${stdout}${stderr}`;

  const files = await readFolders(workshop);
  expect(Object.keys(files)).toContain(join('playground', '.workshop.json'));
  expect(secretsIn({ ...places, ...files }, { key })).toEqual([]);
});

test.concurrent('a key that stands in the code is found: there, in what diff and check print, and in .workshop.json', async ({
  expect,
}) => {
  await using workshop = await copyWorkshop();
  const { playground, run } = workshop;
  const keys = makeKeys();
  await run(['begin', '01', '--solved']);
  await makeLeak(playground, keys);
  const { stdout: diff } = await run(['diff']);
  const { stdout: check } = await run(['check']);

  const files = [join('playground', '.workshop.json'), join('playground', 'src', 'llm.ts')];
  const everywhere = ['diff', 'check', ...files].flatMap((place) =>
    Object.keys(keys).map((shape) => `${place}: ${shape}`),
  );
  const found = secretsIn({ diff, check, ...(await readFolders(workshop)) }, keys);
  expect(found.sort()).toEqual(everywhere.sort());
});
