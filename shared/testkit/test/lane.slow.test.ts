import { startBackends } from '@workshop/backends/start';
import { expect, test } from 'vitest';
import { jaegerCompose, noContainers, smallStep } from './small-step.ts';

test.skipIf(noContainers)(
  `a backend that runs and does not answer: its last lines (${noContainers ?? '30 s'})`,
  async () => {
    const wrongPort = `    ports: ["127.0.0.1:\${JAEGER_UI_PORT-16686}:9090"]`;
    await using step = await smallStep({ 'compose.yaml': jaegerCompose(wrongPort) });

    await expect(startBackends(step.dir)).rejects.toThrow(
      /^jaeger runs, but http:\S+ does not answer 200 within 30 s\. Its last lines:\n.*Everything is ready/s,
    );
  },
);
