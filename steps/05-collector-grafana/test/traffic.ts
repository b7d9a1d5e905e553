import { setInterval as everyMilliseconds } from 'node:timers/promises';
import { type Asked, type Services, startServices } from '@workshop/testkit/services';
import { expect } from 'vitest';

/** Has services asked all the time, of which half fail, until it is disposed of. */
export async function startTraffic() {
  const good = await startServices();
  const bad = await startServices({ env: { LLM_FAULT: 'malformed' } });
  const { body } = await good.ask('What is a trace?');
  const timer = setInterval(() => {
    for (const services of [good, bad]) services.ask('What is a span?').catch(() => {}); // at the end
  }, 500);
  return {
    /** One of the traces. */
    traceId: body.traceId,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await Promise.all([good[Symbol.asyncDispose](), bad[Symbol.asyncDispose]()]);
    },
  };
}

/** Asks `requests` questions, `perSecond` of them each second, all of which must be answered. */
export async function askSteadily(
  services: Services,
  { requests, perSecond }: { requests: number; perSecond: number },
) {
  const asked: Promise<Asked>[] = [];
  for await (const _ of everyMilliseconds(1_000 / perSecond)) {
    asked.push(services.ask('What is a trace?'));
    if (asked.length === requests) break;
  }
  const refused = (await Promise.all(asked)).filter(({ status }) => status !== 200);
  expect(refused).toEqual([]);
}
