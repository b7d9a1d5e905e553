import { readFileSync } from 'node:fs';

const INTERVAL_MS = 250;

/**
 * Calls `then` when the npm that runs this program has ended. A signal to npm alone does not always reach this program,
 * SIGKILL never. Without npm, as after `node src/app.ts`, the program may outlive its shell.
 */
export function onParentEnd(then: () => void): void {
  if (!process.env.npm_lifecycle_event) return;
  const before = parents();
  const watch = setInterval(() => {
    if (parents() === before) return;
    clearInterval(watch);
    then();
  }, INTERVAL_MS).unref();
}

/** The parent and, on Linux, its parent: there npm runs a shell that outlives it, and the shell this program. */
function parents(): string {
  try {
    return `${process.ppid} ${/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${process.ppid}/status`, 'utf8'))?.[1]}`;
  } catch {
    return String(process.ppid);
  }
}
