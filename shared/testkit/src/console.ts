import { stripVTControlCharacters } from 'node:util';
import { runInNewContext } from 'node:vm';

/** A span as ConsoleSpanExporter prints it. Times are in microseconds. */
export type ConsoleSpan = {
  resource: { attributes: Record<string, unknown> };
  traceId: string;
  id: string;
  parentSpanContext: { spanId: string } | undefined;
  name: string;
  kind: number;
  timestamp: number;
  duration: number;
  attributes: Record<string, unknown>;
  status: { code: number; message?: string };
  events: { name: string; attributes: Record<string, unknown> }[];
};

type Output = { stdout: string; stderr: string; exitCode: number | undefined };

/** The spans in an app's output. */
export function spansIn(stdout: string): ConsoleSpan[] {
  return blocksIn(stdout).filter((block) => 'traceId' in block) as ConsoleSpan[];
}

/** The replies in an app's output. */
export function repliesIn(stdout: string): Record<string, string>[] {
  return blocksIn(stdout).filter((block) => 'joke' in block) as Record<string, string>[];
}

/** Expects that the program answered `question` and ended well, and else throws an Error that says how it ended. */
export function expectAnswer({ stdout, stderr, exitCode }: Output, question: string): void {
  const [reply] = repliesIn(stdout);
  if (exitCode === 0 && reply?.query === question) return;
  const end = exitCode === undefined ? 'did not end by itself' : `ended with exit code ${exitCode}`;
  throw new Error(
    `The program ${end}${reply ? '' : ' and gave no reply'}${stdout || stderr ? '' : '. It printed nothing'}.`,
  );
}

/** The trace ids that an app printed under its replies. */
export function traceIdsIn(stdout: string): string[] {
  return [...stdout.matchAll(/^Trace: ([0-9a-f]{32})/gm)].map(([, traceId]) => String(traceId));
}

/** Spans are printed as JavaScript, not as JSON: only JavaScript itself reads them surely. */
function blocksIn(stdout: string): object[] {
  // A terminal ends lines with CR LF and echoes Ctrl-C.
  const text = stripVTControlCharacters(stdout).replaceAll('\r\n', '\n').replaceAll('^C', '');
  return [...text.matchAll(/^\{$.*?^\}$/gms)].map(([block]) => runInNewContext(`(${block})`));
}
