import { startServices } from '@workshop/testkit/services';

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
