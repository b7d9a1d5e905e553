import { type Files, type Raise, versionsOf } from './edits.ts';
import { npm } from './npm.ts';
import { LEAD } from './opentelemetry.ts';

/** A package, and the newest version that the registry has for this Node. */
export type Newest = { name: string; version: string };

/** Packages that are tried alone when all of them together do not pass. The last takes the others. */
export const GROUPS: [name: string, packages: RegExp][] = [
  ['OpenTelemetry', /^@opentelemetry\/|^import-in-the-middle$/],
  ['vitest, fast-check', /^vitest$|^fast-check$/],
  ['testcontainers', /^testcontainers$/],
  ['Express', /^(@types\/)?express$|^helmet$/],
  ['turbo, Biome, TypeScript', /^turbo$|^@biomejs\/|^typescript$|^@types\/node$/],
  ['the others', /^/],
];

/** The name of the group that a package belongs to. */
export function groupOf(name: string): string {
  return GROUPS.find(([, packages]) => packages.test(name))?.[0] ?? '';
}

/** The packages of the repository `dir` of which the registry has another version than the one that stands there. */
export async function findNewest(dir: string, files: Files, signal: AbortSignal): Promise<Newest[]> {
  type Row = { latest: string };
  const all = ['outdated', '--workspaces', '--include-workspace-root'];
  const outdated = (await npm(all, { cwd: dir, signal })) as Record<string, Row | Row[]>;
  const installed = Object.entries(outdated).flatMap(([name, rows]) => {
    const [row] = [rows].flat();
    return row ? [{ name, version: row.latest }] : [];
  });
  const typed = await Promise.all(
    typedOnly(files).map(async (name) => ({
      name,
      version: String(await npm(['view', name, 'version'], { cwd: dir, signal })),
    })),
  );
  return [...installed, ...typed].filter(({ name, version }) =>
    versionsOf(files, name).some((from) => from !== version),
  );
}

/** The packages that stand in no package.json: the READMEs have them in what somebody types. */
function typedOnly(files: Files): string[] {
  const texts = (end: string) => [...files].filter(([path]) => path.endsWith(end)).map(([, text]) => text);
  const lines = texts('README.md').flatMap((text) => text.match(/^npm i .+$/gm) ?? []);
  const names = lines.flatMap((line) => [...line.matchAll(/ (\S[^@\s]*)@\d/g)].map(([, name = '']) => name));
  const packages = texts('package.json');
  return [...new Set(names)].filter((name) => !packages.some((text) => text.includes(`"${name}": "`)));
}

/** Why a newer version is not tried: another package, or Node, holds it back. Undefined where nothing does. */
export function heldBack({ name, version }: Newest, together: string[], raises: Raise[]): string | undefined {
  if (name === '@types/node' && Number.parseInt(version, 10) !== Number.parseInt(process.versions.node, 10)) {
    return 'it is for another Node';
  }
  if (!together.includes(name)) return undefined;
  const reached = raises.some((raise) => raise.name === name && raise.to === version);
  return reached ? undefined : `the newest ${LEAD} needs an older one`;
}
