import { createInterface } from 'node:readline/promises';
import { LlmError, type Reply, systemPrompt } from '@workshop/llm';
import { readArguments } from './arguments.ts';
import { beforeFlush, exit, outputError } from './exit.ts';
import { noteSpans } from './sampled.ts';
import { settingsHelp } from './settings.ts';
import { printable } from './text.ts';

const PROMPT = 'How can I help You Today? ';
const PATIENCE_MS = 2_000;

const help = `Usage: npm start -- [--set NAME=VALUE] ["question"]

Asks the model your question and exits. Without a question it prompts for them;
piped lines are questions too. Ctrl-C or the end of input ends it; while a question is asked, Ctrl-C cancels it.

${settingsHelp}`;

type Ask = (question: string, signal: AbortSignal) => Promise<{ reply: Reply; traceId?: string }>;
type TraceLink = (traceId: string) => Promise<string | undefined>;

/**
 * Asks the question of the command line, or prompts for questions until the end of input, and ends the process: with 0,
 * 1 when a question got no reply (on a terminal the person saw it: 0), 2 for wrong arguments, 130 after Ctrl-C in a call.
 * An LlmError is printed and the loop goes on; any other error ends the program. `traceLink` gives the link under a reply
 * whose trace is sampled.
 */
export async function runPrompt(ask: Ask, traceLink?: TraceLink): Promise<never> {
  const argument = readArguments(help).join(' ').trim();
  const stop = new AbortController();
  const work = run();
  beforeFlush(() => {
    stop.abort();
    return work;
  });
  return exit(await work);

  async function run(): Promise<number> {
    let failed = false;
    console.log(printable(`System: ${systemPrompt}`));
    for await (const question of argument ? [argument] : questions(stop.signal)) {
      console.log(printable(`\nHuman: ${question}\n`));
      const answered = await show(question);
      failed ||= !answered;
    }
    return failed && !(process.stdin.isTTY && !argument) ? 1 : 0;
  }

  async function show(question: string): Promise<boolean> {
    const spans = noteSpans();
    const patience = setTimeout(() => console.error('Waiting for the model (Ctrl-C cancels) ...'), PATIENCE_MS);
    try {
      const { reply, traceId } = await spans.run(() => ask(question, stop.signal));
      console.log(printable(JSON.stringify(reply, null, 2)));
      await showTrace(traceId, spans.isSampled);
      return true;
    } catch (error) {
      if (error instanceof LlmError && !outputError) console.error(`No reply (${error.type}): ${error.message}`);
      await showTrace((error as { traceId?: string }).traceId, spans.isSampled);
      if (!(error instanceof LlmError)) throw error;
      return false;
    } finally {
      clearTimeout(patience);
    }
  }

  async function showTrace(traceId: string | undefined, isSampled: (traceId: string) => boolean): Promise<void> {
    if (!traceId) return;
    const link = isSampled(traceId) ? await traceLink?.(traceId) : 'not sampled';
    console.log(`\nTrace: ${traceId}${link ? `  ${link}` : ''}`);
  }
}

async function* questions(signal: AbortSignal): AsyncGenerator<string> {
  const interactive = process.stdin.isTTY;
  const lines = createInterface({
    input: process.stdin,
    ...(interactive && { output: process.stdout }),
    prompt: PROMPT,
  });
  let idle = true;
  // On a terminal readline takes Ctrl-C for itself. While nothing is asked it ends the prompt, as the end of input does.
  lines.on('SIGINT', () => (idle ? lines.close() : process.emit('SIGINT')));
  signal.addEventListener('abort', () => lines.close());
  if (interactive) lines.prompt();
  for await (const line of lines) {
    if (signal.aborted) return; // what was piped in is still read to its end
    idle = false;
    if (line.trim()) yield line.trim();
    idle = true;
    if (interactive && !signal.aborted) lines.prompt();
  }
  if (interactive) console.log();
}
