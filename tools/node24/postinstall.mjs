// Runs after every install of the workshop, on the Node that its npm scripts will run on.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { advice, isEnough } from '@workshop/runtime/node-version';

const nodeModules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const isWindows = process.platform === 'win32';

if (!isEnough) {
  const binary = findBinary();
  if (!binary) {
    console.error(`${advice} (npm has none for ${process.platform}-${process.arch}.)`);
    process.exit(1);
  }
  link(binary);
}

function findBinary() {
  const manifest = readFileSync(new URL('package.json', import.meta.url), 'utf8');
  const platform = `${isWindows ? 'win' : process.platform}-${process.arch}`;
  return Object.keys(JSON.parse(manifest).optionalDependencies)
    .filter((name) => name.endsWith(`-${platform}`))
    .map((name) => join(name, 'bin', isWindows ? 'node.exe' : 'node'))
    .find((path) => existsSync(join(nodeModules, path)));
}

/** npm 11 has done this; npm 10 installs the package and forgets its command. */
function link(binary) {
  const command = join(nodeModules, '.bin', 'node');
  if (isWindows) writeFileSync(`${command}.cmd`, `@"%~dp0..\\${binary}" %*\r\n`);
  else if (!existsSync(command)) symlinkSync(join('..', binary), command);
}
