import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

/** What came of one test, as vitest's reporter `json` says it. */
export type Result = { fullName: string; status: string; tags: string[]; failureMessages: string[] };

/**
 * Runs the tests in `cwd` with vitest's `args`, and writes its report to `file`. Returns the results, none where no file could
 * be loaded, with what was printed and the exit code. Throws the signal's reason when it ends the tests.
 */
export async function runVitest(
  args: string[],
  { cwd, file, env, signal }: { cwd: string; file: string; env: NodeJS.ProcessEnv; signal: AbortSignal },
) {
  const { all, exitCode } = await execa('vitest', ['run', '--reporter=json', `--outputFile=${file}`, ...args], {
    cwd,
    env,
    extendEnv: false,
    preferLocal: true,
    all: true,
    reject: false,
    forceKillAfterDelay: false,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  const report = await readFile(file, 'utf8').then(JSON.parse, () => ({ testResults: [] }));
  const results: Result[] = report.testResults.flatMap(
    ({ assertionResults }: { assertionResults: Result[] }) => assertionResults,
  );
  return { results, all, exitCode };
}
