import { join } from 'node:path';
import { findLogs, findSeries, findTrace, localLane, receivedMetric } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { copyStep, edit } from '@workshop/testkit/readme';
import { startServices } from '@workshop/testkit/services';
import { expect, test } from 'vitest';

const soon = { timeout: 15_000, interval: 250 };
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';

test('a bug after the call is a failure too: in the log record, the span and the metric', async () => {
  const model = `model-${crypto.randomUUID()}`;
  await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
  await using broken = await copyStep(process.cwd());
  const answered = /(const answer = await .*;)/;
  await edit(join(broken.dir, 'src/llm.ts'), answered, "$1\n      if (answer) throw new TypeError('a bug');");
  await using services = await startServices({ cwd: broken.dir, env: { ...provider.env, LLM_MODEL: model } });

  const { status, body } = await services.ask('What is a trace?');
  expect(status).toBe(500);
  services.app.signal('SIGTERM'); // so that all is sent now

  const spans = await findTrace(body.traceId, 5);
  expect(spans.find(({ name }) => name === 'call_llm_api')).toMatchObject({
    status: { code: 'ERROR', message: 'a bug' },
    attributes: { 'error.type': 'TypeError' },
  });
  await expect.poll(() => findLogs(body.traceId), soon).toHaveLength(1);
  const [record] = await findLogs(body.traceId);
  expect(record).toMatchObject({ body: 'a bug', severityText: 'WARN' });
  expect(record?.attributes).toMatchObject({ 'error.type': 'TypeError', 'exception.type': 'TypeError' });
  await expect.poll(() => countsOf(model), soon).toEqual({ TypeError: 1 });
});

/** How many calls to a model there were, by `error.type`: empty for those that succeeded. */
async function countsOf(model: string): Promise<Record<string, unknown>> {
  if (localLane) {
    const series = await receivedMetric('gen_ai.client.operation.duration');
    const ofModel = series.filter(({ attributes }) => attributes['gen_ai.request.model'] === model);
    return Object.fromEntries(
      ofModel.map(({ attributes, points }) => [attributes['error.type'], points.at(-1)?.count]),
    );
  }
  const series = await findSeries('gen_ai_client_operation_duration_seconds_count', { gen_ai_request_model: model });
  return Object.fromEntries(series.map(({ labels, value }) => [labels.error_type ?? '', value]));
}
