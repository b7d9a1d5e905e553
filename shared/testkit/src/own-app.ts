import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, parseCommandString } from 'execa';
import { cleanEnv, start } from './app.ts';
import { fencesIn } from './readme.ts';

const INSTALL_TIMEOUT_MS = 120_000;

/**
 * Does what a README says below `### In your own app`, in an empty folder outside of the repository: runs its
 * `npm i` line and writes its `ts` blocks. `start` runs the command of its last `sh` block. Removed by `await using`.
 * Throws an Error with npm's output when the packages cannot be installed.
 */
export async function installOwnApp(markdown: string) {
  const text = markdown.split(/^### In your own app$/m)[1]?.split(/^#{2,3} /m)[0];
  if (!text) throw new Error('The README has no heading "### In your own app".');
  const commands = fencesIn(text, 'sh');
  const install = commands[0]?.match(/^npm i .+$/m)?.[0];
  const run = commands.length > 1 && commands.at(-1)?.trim();
  if (!install || !run) throw new Error('"In your own app" needs one sh block with npm i, and one that runs the app.');

  const dir = await mkdtemp(join(tmpdir(), 'own app '));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    await writeFile(join(dir, 'package.json'), JSON.stringify({ type: 'module', private: true }));
    for (const block of fencesIn(text, 'ts')) await writeFile(join(dir, fileNamedBy(block)), block);
    await npm(install, dir);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    dir,
    start(env: Record<string, string> = {}) {
      const [command = '', ...args] = parseCommandString(run);
      return start(command, args, { cwd: dir, env });
    },
    [Symbol.asyncDispose]: remove,
  };
}

function fileNamedBy(block: string): string {
  const name = block.match(/^\/\/ ([\w.-]+\.ts)$/m)?.[1];
  if (!name || !block.startsWith(`// ${name}\n`)) {
    throw new Error(`The first line of a ts block below "In your own app" names its file, as // app.ts:\n${block}`);
  }
  return name;
}

async function npm(install: string, cwd: string): Promise<void> {
  const [command = '', ...args] = parseCommandString(install);
  // Without what the npm that runs the tests has set: it names the folder of the repository. The registry stays.
  const inherited = Object.entries(cleanEnv()).filter(([name]) => !/^npm_(?!config_registry$)|^INIT_CWD$/.test(name));
  const { exitCode, all } = await execa(command, [...args, '--no-audit', '--no-fund'], {
    cwd,
    env: Object.fromEntries(inherited),
    extendEnv: false,
    all: true,
    reject: false,
    timeout: INSTALL_TIMEOUT_MS,
  });
  if (exitCode !== 0) throw new Error(`${install}\n${all}`);
}
