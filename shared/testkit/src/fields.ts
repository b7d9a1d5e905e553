import { expect } from 'vitest';
import { stepDir } from './app.ts';
import { unknownName } from './causes.ts';

/** Expects that TypeScript knows every name in src/: an option that it does not know is ignored, and nobody says so. */
export async function expectKnownNames(): Promise<void> {
  const found = await unknownName(stepDir);
  if (found) throw new Error(`TypeScript finds a mistake in ${found.at}.`);
}

/**
 * Expects that `actual` has what `expected` has, as `toMatchObject` does, and else throws an Error that names what is
 * missing or different, in words. `what` is what `actual` is.
 */
export function expectFields(what: string, actual: unknown, expected: object): void {
  const problems = differences(actual, expected);
  if (problems.length > 0) throw new Error(`${what}: ${problems.join('\n')}`);
}

function differences(actual: unknown, expected: unknown, path: string[] = []): string[] {
  if (!isObject(expected) || !isObject(actual))
    return equals(actual, expected) ? [] : [difference(actual, expected, path)];
  return Object.entries(expected).flatMap(([key, value]) => {
    if (key in actual || value === undefined) return differences(actual[key], value, [...path, key]);
    const other = Object.keys(actual).find((name) => !(name in expected) && letters(name) === letters(key));
    return [`${[...path, key].join(' ')} is missing${other ? `; there is ${other}` : ''}.`];
  });
}

function difference(actual: unknown, expected: unknown, path: string[]): string {
  return `${path.join(' ')} is ${inWords(actual)}, expected ${inWords(expected)}.`;
}

function equals(actual: unknown, expected: unknown): boolean {
  try {
    expect(actual).toEqual(expected);
    return true;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('asymmetricMatch' in value);
}

function inWords(value: unknown): string {
  if (!isMatcher(value)) return value === undefined ? 'not there' : json(value);
  const { sample } = value;
  if (typeof sample === 'function') return `a ${sample.name.toLowerCase()}`;
  return sample instanceof RegExp ? `like ${sample}` : `with ${json(sample)}`;
}

/** A matcher within stands as what it looks for. */
function json(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (isMatcher(part) ? part.sample : part));
}

function isMatcher(value: unknown): value is { sample: unknown } {
  return typeof value === 'object' && value !== null && 'asymmetricMatch' in value;
}

/** Without what is easily mistyped: dots, underscores, capitals. */
function letters(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}
