import { findSeries, localLane } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { startServices } from '@workshop/testkit/services';
import { expect, test } from 'vitest';

const soon = { timeout: 20_000, interval: 250 };
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';

test.skipIf(localLane)('two backends are counted apart (local lane: no Collector)', async () => {
  const model = `model-${crypto.randomUUID()}`;
  await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
  const env = { ...provider.env, LLM_MODEL: model };
  await using first = await startServices({ env });
  await using second = await startServices({ env });
  for (const services of [first, second, second]) await services.ask('What is a trace?');

  const counts = async () => {
    const series = await findSeries('gen_ai_client_operation_duration_seconds_count', { gen_ai_request_model: model });
    return series.map(({ value }) => value).sort();
  };
  const message = 'Two backends, two sets of series';
  await expect.poll(counts, { ...soon, message }).toEqual([1, 2]);
});
