import { join } from 'node:path';
import { execa } from 'execa';

const root = join(import.meta.dirname, '..', '..', '..');

/** Runs `workshop doctor` in the repository. */
export async function doctor(env: Record<string, string>, ...options: string[]) {
  return execa('workshop', ['doctor', ...options], {
    cwd: root,
    env,
    reject: false,
    preferLocal: true,
    localDir: root,
  });
}
