import { cleanEnv } from '@workshop/testkit/app';
import { execa } from 'execa';

type Run = { cwd: string; signal?: AbortSignal | undefined };

/**
 * Runs the npm that runs this program, on the Node that runs this program: on an older one npm would leave packages out.
 * Returns what it printed as JSON. Throws an Error with one line that says what is wrong.
 */
export async function npm(args: string[], { cwd, signal }: Run): Promise<unknown> {
  const { npm_execpath: program } = process.env;
  if (!program) throw new Error('npm starts this: npm run raise, npm run canary.');
  const { stdout, exitCode } = await execa(process.execPath, [program, ...args, '--json', '--fetch-retries=1'], {
    cwd,
    env: envOfNpm(),
    extendEnv: false,
    // The scripts of packages run on this Node too.
    preferLocal: true,
    localDir: cwd,
    reject: false,
    ...(signal && { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  // Scripts print before npm does.
  const said = JSON.parse(stdout.slice(Math.max(stdout.search(/^[[{"]/m), 0)) || 'null');
  const wrong = exitCode !== 0 && complaint(said);
  if (wrong) throw new Error(`npm ${args.slice(0, 2).join(' ')} failed: ${wrong.replaceAll(`${cwd}/`, '')}`);
  return said;
}

/** Without what the npm that runs this has set: it names the folder of this repository. The registry stays. */
export function envOfNpm(): Record<string, string> {
  const names = /^npm_(?!config_registry$|execpath$)|^INIT_CWD$/;
  return Object.fromEntries(Object.entries(cleanEnv()).filter(([name]) => !names.test(name)));
}

/** What npm says is wrong; undefined where it says nothing, as `npm outdated` does, which fails when it finds something. */
function complaint(said: unknown): string | undefined {
  type Problem = { code: string; summary: string; detail: string };
  const { error, problems } = said as { error?: Problem; problems?: string[] };
  const [, conflict = ''] = /Could not resolve dependency:\n(.*)/.exec(error?.detail ?? '') ?? [];
  const text = problems?.[0] ?? (error && `${error.code}: ${error.summary} ${conflict}`.trim());
  return text?.replace(/\s+/g, ' ').replace(/ - GET .*| request to \S+ failed, reason:/, '');
}
