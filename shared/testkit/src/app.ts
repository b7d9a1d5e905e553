import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepGroup } from '@workshop/backends/keep';
import { execa, type Options } from 'execa';
import { expect } from 'vitest';

const APP_TIMEOUT_MS = 60_000;

/** The step under test: the folder whose tests run. */
export const stepDir = process.cwd();

/** A host that nobody knows. A part of 64 letters is too long for DNS: no name server is asked, which could be slow to answer. */
export const unknownHost = `${'x'.repeat(64)}.invalid`;

export type AppOptions = {
  env?: Record<string, string>;
  /** Where to run it, if not in the step under test. */
  cwd?: string;
  /** All of stdin; without it stdin stays open until the app is stopped. */
  input?: string;
};

export type App = ReturnType<typeof startApp>;

/** The pages of the traces that the tests of this file have found, in order. */
export const landed: string[] = [];

/** The apps that the tests of this file have started, in order. */
export const runs: { stdout: string; stderr: string; isRunning: boolean; exitCode: number | undefined }[] = [];

/** Starts a step's app as its README does, `npm start -- [question]`, in a process group of its own. */
export function startApp(args: string[] = [], options: AppOptions = {}) {
  return start('npm', ['start', '--silent', '--', ...args], options);
}

/** Runs a step's app to its end. */
export async function runApp(args: string[], options: AppOptions = {}) {
  return startApp(args, { input: '', ...options }).ended;
}

/** Whether `startAppOnTerminal` works here: util-linux's `script` makes the terminal. */
export const canUseTerminal = process.platform === 'linux' && existsSync('/usr/bin/script');

/** Starts a step's app on a terminal of its own. `type` types on it. */
export function startAppOnTerminal(args: string[] = [], options: AppOptions = {}) {
  const command = ['npm', 'start', '--silent', '--', ...args.map((arg) => `'${arg}'`)].join(' ');
  return start('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], options);
}

/** Runs a command in a process group of its own. */
export function start(command: string, args: string[], { env, input, cwd = stepDir }: AppOptions) {
  const execaOptions = {
    cwd,
    env: { ...cleanEnv(), ...env },
    extendEnv: false,
    ...(input !== undefined && { input }),
    killDescendants: true,
    reject: false,
    stripFinalNewline: false,
    timeout: APP_TIMEOUT_MS,
  } satisfies Options;
  const child = execa(command, args, execaOptions);
  const kept = child.pid && keepGroup(child.pid);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  let running = true;
  let code: number | undefined;
  const ended = child.then(({ exitCode }) => {
    running = false;
    code = exitCode;
    if (kept) kept.forget();
    return { exitCode, stdout, stderr };
  });

  const app = {
    /** How it ended. `exitCode` is undefined when a signal ended it. */
    ended,
    get exitCode() {
      return code;
    },
    /** What it has written to stdout so far. */
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    get isRunning() {
      return running;
    },
    type: (text: string) => child.stdin.write(text),
    /** Sends a signal to the whole process group, as a terminal or a supervisor does. */
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    /** Waits until stdout matches `pattern`. When the app ends without, or after 20 s, the error shows stderr too. */
    async shows(pattern: RegExp): Promise<void> {
      const latest = Date.now() + 20_000;
      while (!pattern.test(stdout) && running && Date.now() < latest) await sleep(50);
      expect(stdout, `stderr is ${JSON.stringify(stderr)}, stdout`).toMatch(pattern);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  runs.push(app);
  return app;
}

/** This process's environment without the settings of whoever runs the tests, in their shell or their .env. */
export function cleanEnv(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(LLM|OTEL)_|^NODE_OPTIONS$|^VITEST|^FORCE_COLOR$/.test(name),
  );
  return { ...(Object.fromEntries(kept) as Record<string, string>), WORKSHOP_ENV_FILE: '' };
}
