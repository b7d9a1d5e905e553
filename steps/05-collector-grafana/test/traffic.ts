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

/** Asks `requests` questions, `perSecond` of them each second, all of which must be answered. Gives back their traces. */
export async function askSteadily(
  services: Pick<Services, 'ask'>,
  { requests, perSecond }: { requests: number; perSecond: number },
) {
  const asked: Promise<Asked & { time: number }>[] = [];
  for await (const _ of everyMilliseconds(1_000 / perSecond)) {
    const time = Date.now();
    asked.push(services.ask('What is a trace?').then((answer) => ({ ...answer, time })));
    if (asked.length === requests) break;
  }
  const answers = await Promise.all(asked);
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  return answers.map(({ body, time }) => ({ traceId: body.traceId, time }));
}

/** Calls `send` with 1, 2, 3 ..., `perSecond` times a second. What it does not reject is `accepted`. */
export function keepSending(perSecond: number, send: (number: number) => Promise<void>) {
  const accepted: { number: number; time: number }[] = [];
  const sending: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    const [number, time] = [sending.length + 1, Date.now()];
    sending.push(
      send(number).then(
        () => accepted.push({ number, time }),
        () => {},
      ),
    );
  }, 1_000 / perSecond);
  return {
    accepted,
    /** Sends no more, and waits for all answers. */
    async end() {
      clearInterval(timer);
      await Promise.all(sending);
    },
    [Symbol.asyncDispose]: async () => clearInterval(timer),
  };
}
