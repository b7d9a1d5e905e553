import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { start } from '@workshop/testkit/app';
import { spansIn } from '@workshop/testkit/console';
import { installOwnApp } from '@workshop/testkit/own-app';
import { expect, test } from 'vitest';

const UNSET = 0;
const ERROR = 2;

test('"In your own app", in an empty folder: the span of a file is printed, and that of a failure', async () => {
  await using own = await installOwnApp(await readFile(join(import.meta.dirname, '..', 'README.md'), 'utf8'));
  const good = await own.start().ended;
  const bad = await start('node', ['--import', './telemetry.ts', 'app.ts', 'nothing.txt'], { cwd: own.dir }).ended;

  const { length } = await readFile(join(own.dir, 'package.json'));
  expect(spansIn(good.stdout), good.stderr).toMatchObject([
    {
      resource: { attributes: { 'service.name': 'my-app' } },
      name: 'read_file',
      attributes: { 'file.path': 'package.json', 'file.size': length },
      status: { code: UNSET },
    },
  ]);
  expect(good.stdout).toContain(`${length} bytes`);
  expect(good.exitCode).toBe(0);

  expect(spansIn(bad.stdout), bad.stderr).toMatchObject([
    {
      name: 'read_file',
      attributes: { 'error.type': 'ENOENT' },
      status: { code: ERROR },
      events: [{ name: 'exception' }],
    },
  ]);
  expect(bad.exitCode).toBe(1);
});
