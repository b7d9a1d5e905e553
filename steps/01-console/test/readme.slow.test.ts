import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runApp } from '@workshop/testkit/app';
import { type ConsoleSpan, spansIn } from '@workshop/testkit/console';
import { copyStep, edit, fencesIn, headings, headingsIn, runTests } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');

test('the README has the headings of every step', () => {
  expect(headingsIn(readme)).toEqual(headings);
});

test('"See it" shows the span that the program prints', async () => {
  const { stdout } = await runApp(['What is the biggest capital city in Asia?']);
  const [quoted] = spansIn(fencesIn(readme, 'js').join(''));
  const [real] = spansIn(stdout);
  expect(masked(quoted)).toEqual(masked(real));
});

test.each([
  ['rate-limit', 'rate_limited'],
  ['malformed', 'malformed_response'],
  ['slow', undefined],
])('"Break it": npm start -- --set LLM_FAULT=%s gives the error type %s', async (fault, type) => {
  const command = `npm start -- --set LLM_FAULT=${fault} "What is a span?"`;
  expect(fencesIn(readme, 'sh').join('')).toContain(command);
  const { stdout } = await runApp(['--set', `LLM_FAULT=${fault}`, 'What is a span?']);
  expect(spansIn(stdout).map(({ attributes }) => attributes['error.type'])).toEqual([type]);
});

test('"Break it": without metricReaders: [] one test fails, and says in two lines how many requests were sent', async () => {
  await using broken = await copyStep(step);
  await edit(join(broken.dir, 'src/telemetry.ts'), '  metricReaders: [],', '  // metricReaders: [],');
  const { exitCode, all } = await runTests(broken.dir, '');

  expect(exitCode).toBe(1);
  expect(all).toMatch(/Tests {2}1 failed \| \d+ passed/);
  expect(all).toMatch(/[1-9]\d* request\(s\) were sent to a collector/);
  expect(all).not.toContain('resourceMetrics');
});

/** A span without what is different each time. */
function masked(span: ConsoleSpan | undefined) {
  const { resource, attributes } = span ?? {};
  return {
    ...span,
    resource: { attributes: { ...resource?.attributes, 'service.instance.id': '' } },
    ...{ traceId: '', id: '', timestamp: 0, duration: 0 },
    attributes: { ...attributes, 'llm.api.url': '', 'server.port': 0, 'gen_ai.response.id': '' },
  };
}
