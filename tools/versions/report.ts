import { markdownTable } from 'markdown-table';
import type { Failure, Ran } from './checks.ts';
import type { Raise } from './edits.ts';
import { groupOf, type Newest } from './newest.ts';

/** What broke with a group alone, or with nothing raised. Without failures: there was no time for it. */
export type Blame = { group: string; failures?: Failure[] };

type Run = {
  /** The commit that was copied. */
  commit: string;
  raises: Raise[];
  held: (Newest & { why: string })[];
  images: { name: string; version: string }[];
  lanes: string[];
  /** Why containers could not be had. */
  notHere: string | undefined;
  outcomes: Ran[];
  blames: Blame[];
};

/** Where the releases of an image are told. */
const RELEASES: Record<string, string> = {
  'grafana/grafana': 'https://github.com/grafana/grafana/releases',
  'jaegertracing/jaeger': 'https://github.com/jaegertracing/jaeger/releases',
  'otel/opentelemetry-collector-contrib': 'https://github.com/open-telemetry/opentelemetry-collector-releases/releases',
  'prom/prometheus': 'https://github.com/prometheus/prometheus/releases',
  'victoriametrics/victoria-logs': 'https://github.com/VictoriaMetrics/VictoriaLogs/releases',
};

/** The report of a canary in Markdown. */
export function report(run: Run): string {
  const broken = failuresOf(run);
  return [
    `# Canary of ${new Date().toISOString().slice(0, 10)}: ${verdict(run, broken)}`,
    `Commit ${run.commit}. Node ${process.version}, ${process.platform}. Lanes: ${run.lanes.join(', ')}.`,
    ...(run.notHere ? [`No containers: ${run.notHere}.`] : []),
    ...(process.env.WITHOUT ? [`Left out: ${process.env.WITHOUT}.`] : []),
    ...section(
      'What was raised',
      ['package', 'from', 'to', 'group'],
      run.raises.map(({ name, from, to }) => [name, from.join(', '), to, groupOf(name)]),
    ),
    ...section(
      'Newer, and held back',
      ['package', 'newest', 'why'],
      run.held.map(({ name, version, why }) => [name, version, why]),
    ),
    ...section('What broke', ['where', 'test or place', 'what it says', 'to blame'], broken.map(row(run.blames))),
    ...section(
      'What was run',
      ['check', 'passed', 'failed', 'skipped', 's'],
      run.outcomes.map(({ name, outcome: { passed, failures, skipped }, seconds }) =>
        [name, passed, failures.length, skipped, seconds].map(String),
      ),
    ),
    ...section(
      'Images were not raised. Look here',
      ['image', 'version', 'releases'],
      run.images.map(({ name, version }) => [name, version, RELEASES[name] ?? '']),
    ),
    'The programs in tools/node24 were not raised either.',
  ].join('\n\n');
}

/** Each failure once. Where nothing could be installed, those of the groups alone are all that is known. */
function failuresOf({ outcomes, blames }: Run): Failure[] {
  const all = [...outcomes.map(({ outcome }) => outcome), ...blames].flatMap(({ failures }) => failures ?? []);
  return [...new Map(all.map((failure) => [`${failure.check} ${failure.test}`, failure])).values()];
}

function verdict({ raises, outcomes }: Run, broken: Failure[]): string {
  if (raises.length === 0) return 'nothing can be raised, so nothing was run';
  if (broken.length > 0) return `${broken.length} failures with the newest versions`;
  return `all ${outcomes.length} checks pass with the newest versions`;
}

function section(title: string, header: string[], rows: string[][]): string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  return [`## ${title}`, markdownTable([header, ...cells])];
}

function row(blames: Blame[]) {
  return (failure: Failure) => [failure.check, failure.test, failure.says, toBlame(failure, blames)];
}

/** The groups with which the same test fails alone. With nothing raised none of them is to blame. */
function toBlame({ check, test }: Failure, blames: Blame[]): string {
  const failsWith = blames.filter(({ failures }) =>
    failures?.some((other) => other.check === check && (other.test === test || check === 'install')),
  );
  const names = failsWith.map(({ group }) => group);
  if (names.includes('nothing raised')) return 'fails with nothing raised, too';
  if (names.length > 0) return names.join(', ');
  const open = blames.filter(({ failures }) => !failures).map(({ group }) => group);
  if (open.length > 0) return `there was no time to try ${open.join(', ')}`;
  return 'it passes with each group alone';
}
