// Makes what agents and gateways need to trust each other, in secrets/: a key, its certificate, a token.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const folder = join(import.meta.dirname, 'secrets');
const key = join(folder, 'gateway.key');
const certificate = join(folder, 'gateway.crt');

// Containers read them, and not as you: so all of this machine may. They are good for a workshop, and for 30 days.
process.umask(0o022);
await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'token'), randomBytes(32).toString('hex'));

const pair = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate];
const names = ['-subj', '/CN=gateway', '-addext', 'subjectAltName=DNS:gateway'];
await execa('openssl', ['req', '-x509', '-days', '30', ...pair, ...names]).catch((error) => {
  const remedy =
    error.code === 'ENOENT'
      ? 'Install OpenSSL. On Windows, Git for Windows has it: run this in Git Bash.'
      : error.stderr;
  console.error(`No certificate: openssl failed. ${remedy}`);
  process.exit(1);
});
// openssl gives it to its owner alone.
await chmod(key, 0o644);
console.log(`A certificate for the name gateway, its key and a token are in ${folder}.`);
