// Runs step 05's telemetry.ts with other settings of its batches, in its folder. Makes the spans and the log record of a
// request, as the backend does, at rates that rise, and sends its parent how many of each rate. Nothing else is done: the
// services themselves are busy long before. Arguments: the settings, the rates.
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { logs, SpanKind, trace } from '@opentelemetry/api';
import { exit } from '@workshop/runtime/exit';
import { sendMessage } from 'execa';

const TICK_MS = 10;
const LEVEL_MS = 1_000;
const DRAIN_MS = 500;
const PROCESSORS = /(new Batch\w+Processor\(\{.*) \}\)/g;

/** `perSecond` is less than `rate` where this process cannot make as many. */
export type Made = { rate: number; requests: number; perSecond: number };

const [settings = '{}', rates = ''] = process.argv.slice(2);
const telemetry = pathToFileURL(join(process.cwd(), 'src/telemetry.ts')).href;
registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (url !== telemetry) return loaded;
    const source = String(loaded.source).replaceAll(PROCESSORS, `$1, ...${settings} })`);
    if (source.split(settings).length !== 3)
      throw new Error('src/telemetry.ts makes its two batch processors otherwise.');
    return { ...loaded, source };
  },
});
await import(telemetry);

const attributes = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`key.${i}`, `the value ${i}`]));
for (const rate of rates.split(',').map(Number)) {
  await sendMessage(await makeRequests(rate));
  await sleep(DRAIN_MS);
}
await exit(0);

/** Makes `rate` requests a second, a few together, for a second. */
async function makeRequests(rate: number): Promise<Made> {
  const start = performance.now();
  let requests = 0;
  let ms = 0;
  for (; ms < LEVEL_MS; ms = performance.now() - start) {
    for (; requests < (rate * ms) / 1000; requests += 1) makeRequest(rate);
    await sleep(TICK_MS);
  }
  return { rate, requests, perSecond: (requests * 1000) / ms };
}

function makeRequest(rate: number): void {
  const tracer = trace.getTracer('bench');
  const name = `request ${rate}`;
  tracer.startActiveSpan(name, { kind: SpanKind.SERVER, attributes }, (server) => {
    tracer.startActiveSpan(name, { kind: SpanKind.INTERNAL, attributes }, (call) => {
      tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }).end();
      logs.getLogger('bench').emit({ severityText: name, body: 'The model answered.', attributes });
      call.end();
    });
    server.end();
  });
}
