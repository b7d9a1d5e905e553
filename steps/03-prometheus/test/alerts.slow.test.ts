import { type App, startApp } from '@workshop/testkit/app';
import { appEnv, localLane, prometheus } from '@workshop/testkit/backends';
import { traceIdsIn } from '@workshop/testkit/console';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { describe, expect, test } from 'vitest';

const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';
const soon = { timeout: 60_000, interval: 500 };

type Alert = { state: string; labels: Record<string, string>; annotations: Record<string, string> };

describe.skipIf(localLane)('in the running Prometheus (local lane: there is none)', () => {
  test('when calls fail the alert fires, and when they succeed again it resolves', async () => {
    const model = `model-${crypto.randomUUID()}`;
    let failing = false;
    await using provider = await startProvider((_request, response) => {
      send(response, 200, completion(failing ? 'no JSON' : REPLY));
    });
    await using app = startApp([], { env: { ...appEnv, ...provider.env, LLM_MODEL: model } });
    const stopAsking = keepAsking(app);
    const state = async () => (await alert('LlmErrorRatioHigh', { gen_ai_request_model: model }))?.state;
    await expect.poll(() => traceIdsIn(app.stdout).length, soon).toBeGreaterThan(10);
    expect(await state()).toBeUndefined();

    failing = true;
    await expect.poll(state, soon).toBe('firing');
    const { annotations } = (await alert('LlmErrorRatioHigh', { gen_ai_request_model: model })) as Alert;
    expect(annotations.summary).toBe(`Calls to ${model} fail`);
    expect(annotations.description).toMatch(/^\d.*% of the calls/);

    failing = false;
    await expect.poll(state, soon).toBeUndefined();
    stopAsking();
  });

  test('when the app is gone the alert fires, and when it is back it resolves', async () => {
    const state = async () => (await alert('LlmAppDown'))?.state;
    await expect.poll(state, soon).toBe('firing');

    await using app = startApp([], { env: appEnv });
    await expect.poll(state, soon).toBeUndefined();
    expect(app.isRunning).toBe(true);
  });

  test('when answers are slow the alert fires', async () => {
    await using app = startApp([], { env: { ...appEnv, LLM_LATENCY_MS: '3000' } });
    const stopAsking = keepAsking(app);
    const state = async () => (await alert('LlmAnswersSlow'))?.state;
    await expect.poll(state, soon).toBe('firing');
    stopAsking();
  });
});

async function alert(alertname: string, labels: Record<string, string> = {}): Promise<Alert | undefined> {
  const { alerts } = await prometheus<{ alerts: Alert[] }>('alerts');
  const wanted = Object.entries({ alertname, ...labels });
  return alerts.find((alert) => wanted.every(([name, value]) => alert.labels[name] === value));
}

/** Asks five times a second until the returned function is called. */
function keepAsking(app: App): () => void {
  const timer = setInterval(() => app.type('What is a metric?\n'), 200);
  return () => clearInterval(timer);
}
