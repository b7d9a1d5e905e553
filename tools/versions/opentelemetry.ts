import { type Files, type Raise, versionsOf } from './edits.ts';

/** The package that needs exactly one version of each package that is released together with it. */
export const LEAD = '@opentelemetry/sdk-node';

type Locked = { version: string; dependencies: Record<string, string> };

/** The packages of OpenTelemetry that stand in the repository and are released together with sdk-node, without it. */
export function releasedTogether(files: Files, lockfile: string): string[] {
  const lead: Locked = JSON.parse(lockfile).packages[`node_modules/${LEAD}`];
  const names = [...files]
    .filter(([path]) => path.endsWith('package.json'))
    .flatMap(([, text]) => text.match(/(?<=")@opentelemetry\/[\w-]+(?=": ")/g) ?? []);
  return [...new Set(names)].filter(
    (name) => name !== LEAD && (isExact(lead.dependencies[name]) || versionsOf(files, name).includes(lead.version)),
  );
}

/** The raise of each of `together` that goes along with sdk-node `to`, whose dependencies are `needed`. */
export function goAlong(files: Files, together: string[], to: string, needed: Record<string, string>): Raise[] {
  return together.map((name) => {
    const exact = needed[name];
    return { name, from: versionsOf(files, name), to: isExact(exact) ? exact : to };
  });
}

function isExact(range: string | undefined): range is string {
  return /^\d/.test(range ?? '');
}
