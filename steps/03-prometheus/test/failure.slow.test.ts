import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startApp } from '@workshop/testkit/app';
import { appEnv, findSeries } from '@workshop/testkit/backends';
import { completion, send, startProvider } from '@workshop/testkit/provider';
import { copyStep, edit } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const REPLY = '{"query":"q","joke":"j","text":"t","question":"?"}';

test('a bug in the code after the call counts as one failure, and as no success', async () => {
  const model = `model-${crypto.randomUUID()}`;
  await using provider = await startProvider((_request, response) => send(response, 200, completion(REPLY)));
  await using buggy = await copyStep(step);
  await edit(join(buggy.dir, 'src/llm.ts'), /(?<=const answer = .*\n)/, "      throw new TypeError('a bug');\n");
  // The bug would end the prompt, and what has ended cannot be scraped.
  const program = [
    "import { callLlm } from './llm.ts';",
    "await callLlm('What is a metric?').catch(({ message }) => console.log('caught:', message));",
    'setInterval(() => {}, 1_000);',
  ];
  await writeFile(join(buggy.dir, 'src/app.ts'), program.join('\n'));
  await using app = startApp([], { cwd: buggy.dir, env: { ...appEnv, ...provider.env, LLM_MODEL: model } });
  await app.shows(/caught: a bug/);

  const counted = async () =>
    (await findSeries('gen_ai_client_operation_duration_count', { gen_ai_request_model: model })).map(
      ({ labels, value }) => [labels.error_type, value],
    );
  await expect.poll(counted, { timeout: 10_000 }).toEqual([['TypeError', 1]]);
});
