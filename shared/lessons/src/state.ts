import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The file of a playground that says how far it is. `workshop begin` writes it, and each check adds to it. */
export const STATE = '.workshop.json';

export type State = {
  /** The step's number, of two digits. */
  step: string;
  /** How many checks there were. */
  attempts?: number;
  /** When all passed for the first time, in ISO 8601. */
  firstGreen?: string;
  /** What the last check came to. */
  last?: Outcome;
  /** How many hints of a task were shown, by the task's number in the README. */
  hints?: Record<string, number>;
};

/** What a check came to. */
export type Outcome = {
  /** Undefined for a step without backends. */
  lane?: 'containers' | 'local';
  passed: number;
  /** Without what was skipped. */
  total: number;
  /** How many tests were skipped, for which reason. */
  skipped: Record<string, number>;
  /** The page of a trace that landed, while the backends are kept up. */
  trace?: string;
  failure?: Failure;
};

/** The first test that failed. */
export type Failure = {
  test: string;
  /** What was looked for, and what is there instead. */
  seen: string;
  /** The program's own words about trouble. */
  said: string[];
  /** The likeliest cause, and where: `src/telemetry.ts:26`. */
  cause?: { say: string; at?: string };
};

/** Reads how far a playground is. Throws when `folder` is none. */
export function readState(folder: string): State {
  return JSON.parse(readFileSync(join(folder, STATE), 'utf8'));
}

export function writeState(folder: string, state: State): void {
  writeFileSync(join(folder, STATE), `${JSON.stringify(state, null, 2)}\n`);
}
