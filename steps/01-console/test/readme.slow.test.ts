import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runApp } from '@workshop/testkit/app';
import { type ConsoleSpan, spansIn, traceIdsIn } from '@workshop/testkit/console';
import { makePlayground } from '@workshop/testkit/playground';
import { send, startProvider } from '@workshop/testkit/provider';
import { applyPatches, copyStep, edit, fencesIn, missingLines, runTests, sectionOf } from '@workshop/testkit/readme';
import { describe, expect, test } from 'vitest';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'README.md'), 'utf8');
const commands = fencesIn(readme, 'sh').join('');
const doIt = sectionOf(readme, 'Do it');
const seeIt = sectionOf(readme, 'See it');
const breakIt = sectionOf(readme, 'Break it');

const QUESTION = ['What is a span?'];
const RATE_LIMIT = ['--set', 'LLM_FAULT=rate-limit', ...QUESTION];
const NO_TRACE = '0'.repeat(32);

describe('"Do it" shows what is seen after each solution', () => {
  const [empty = '', filled = '', failed = ''] = fencesIn(doIt, 'js');

  test('what begin makes prints no telemetry', async () => {
    await using playground = await solved(0);
    expect(spansIn((await runApp(QUESTION, { cwd: playground.dir })).stdout)).toEqual([]);
  });

  test('task 1: no span, and the check says why', async () => {
    await using playground = await solved(1);
    expect(spansIn((await runApp(QUESTION, { cwd: playground.dir })).stdout)).toEqual([]);

    await writeFile(join(playground.dir, '.workshop.json'), '{ "step": "01" }');
    const { all } = await runTests(playground.dir, '');
    expect(missingLines(fencesIn(doIt, 'text').join(''), all), all).toEqual([]);
  });

  test('task 2: a span without attributes, and its trace id below the reply', async () => {
    await using playground = await solved(2);
    const { stdout } = await runApp(QUESTION, { cwd: playground.dir });
    expect(missingLines(empty, stdout), stdout).toEqual([]);
    expect(traceIdsIn(stdout)).toEqual(spansIn(stdout).map(({ traceId }) => traceId));

    const microseconds = Number(/duration: ([\d.]+)/.exec(empty)?.[1]);
    expect(doIt).toContain(`${Math.floor(microseconds).toLocaleString('en')} microseconds`);
  });

  test('task 2: the span with its attributes', async () => {
    await using playground = await solved(3);
    const { stdout } = await runApp(QUESTION, { cwd: playground.dir });
    expect(missingLines(filled, stdout), stdout).toEqual([]);

    const { attributes = {} } = spansIn(stdout)[0] ?? {};
    const [sent, received] = ['input', 'output'].map((way) => attributes[`gen_ai.usage.${way}_tokens`]);
    expect(doIt).toContain(`This call sent ${sent} tokens and received ${received}.`);
  });

  test('task 3: before it, a failed call looks like a good one', async () => {
    await using playground = await solved(3);
    const { stdout, stderr } = await runApp(RATE_LIMIT, { cwd: playground.dir });
    expect(stderr).toContain('No reply (rate_limited)');
    expect(spansIn(stdout).map(({ status }) => status)).toEqual([{ code: 0 }]);
  });

  test('task 3: the span of a failed call', async () => {
    await using playground = await solved(4);
    const { stdout } = await runApp(RATE_LIMIT, { cwd: playground.dir });
    expect(missingLines(failed, stdout), stdout).toEqual([]);
  });
});

test('"Check it" says how many tests pass at the end', async () => {
  await using playground = await solved(4);
  await writeFile(join(playground.dir, '.workshop.json'), '{ "step": "01" }');
  const [count = ''] = /\b\d+ of \d+\b/.exec(sectionOf(readme, 'Check it')) ?? [];
  expect((await runTests(playground.dir, '')).all).toContain(`${count}. `);
});

describe('"See it"', () => {
  const [quoted] = spansIn(fencesIn(seeIt, 'js').join(''));
  const rows = rowsOf(seeIt);

  test('shows the span that the program prints', async () => {
    const { stdout } = await runApp(['What is the biggest capital city in Asia?']);
    expect(alike(quoted)).toEqual(alike(spansIn(stdout)[0]));
  });

  test('explains each field of that span', () => {
    const fields = rows.map(([field]) => field?.replaceAll('`', '')).filter((field) => field !== 'service.instance.id');
    expect(fields).toEqual(Object.keys(quoted ?? {}));
  });

  test('explains it with the values that it shows', () => {
    const { attributes = {}, duration = 0 } = quoted ?? {};
    const values = rows.flatMap(([, here = '']) => [...here.matchAll(/`(.+?)(?:\.\.\.)?`/g)].map(([, value]) => value));
    for (const value of values) expect(fencesIn(seeIt, 'js').join('')).toContain(value);
    expect(seeIt).toContain(`| ${Object.keys(attributes).length} values |`);
    expect(seeIt).toContain(`about ${Math.round(duration / 1000)} milliseconds`);
  });
});

describe('"Break it"', () => {
  test.each(rowsOf(breakIt))('the fault %s: error.type %s, status.code %s', async (fault = '', type, code) => {
    const name = fault.replaceAll('`', '');
    expect(commands).toContain(`npm start -- --set LLM_FAULT=${name} "What is a span?"`);
    const { stdout } = await runApp(['--set', `LLM_FAULT=${name}`, ...QUESTION]);
    const [span] = spansIn(stdout);
    expect(span?.attributes['error.type'] ?? 'none').toBe(type?.replaceAll('`', ''));
    expect(span?.status.code).toBe(Number(code));
    const atLeast = { 'rate-limit': 2, slow: 5 }[name] ?? 0;
    expect(Number(span?.duration) / 1e6).toBeGreaterThanOrEqual(atLeast);
  });

  test('rate-limit: one span stands for three requests', async () => {
    await using provider = await startProvider((_request, response) =>
      send(response, 429, { error: { message: 'no' } }, { 'retry-after-ms': '1' }),
    );
    const { stdout } = await runApp(QUESTION, { env: provider.env });
    expect(spansIn(stdout)).toHaveLength(1);
    expect(provider.requests).toHaveLength(3);
  });

  test('without span.end() there is a trace id and no span', async () => {
    await using broken = await copyStep(step);
    await edit(join(broken.dir, 'src/llm.ts'), 'span.end();', '');
    const { stdout } = await runApp(QUESTION, { cwd: broken.dir });
    expect(spansIn(stdout)).toEqual([]);
    expect(traceIdsIn(stdout)).toEqual([expect.not.stringContaining(NO_TRACE)]);
  });

  test('without sdk.start() the trace id is all zeros', async () => {
    await using broken = await copyStep(step);
    await edit(join(broken.dir, 'src/telemetry.ts'), 'sdk.start();', '');
    const { stdout, stderr } = await runApp(QUESTION, { cwd: broken.dir });
    expect(spansIn(stdout)).toEqual([]);
    expect(traceIdsIn(stdout)).toEqual([NO_TRACE]);
    expect(stdout).toContain('not sampled');
    expect(stderr).not.toMatch(/error/i);
    expect(breakIt).toContain(NO_TRACE);
  });

  test('without metricReaders: [] one test fails, and says in two lines how many requests were sent', async () => {
    await using broken = await copyStep(step);
    await edit(join(broken.dir, 'src/telemetry.ts'), '  metricReaders: [],\n', '');
    const { exitCode, all } = await runTests(broken.dir, '');

    expect(exitCode).toBe(1);
    expect(all).toMatch(/Tests {2}1 failed \| \d+ passed/);
    expect(all).toMatch(/[1-9]\d* request\(s\) were sent to a collector/);
    expect(breakIt).toContain('request(s) were sent to a collector');
    expect(all).not.toContain('resourceMetrics');
  });
});

test('"Going further": a second span in callLlm is a child of the first', async () => {
  await using further = await copyStep(step);
  await edit(
    join(further.dir, 'src/llm.ts'),
    /(?<=const answer = .*\n)/,
    "      tracer.startSpan('read_answer').end();\n",
  );
  const { stdout } = await runApp(QUESTION, { cwd: further.dir });

  const [child, parent] = spansIn(stdout);
  expect([child?.name, parent?.name]).toEqual(['read_answer', 'call_llm_api']);
  expect(child?.parentSpanContext?.spanId).toBe(parent?.id);
});

test('"Going further": the SDK prints what it does', async () => {
  const { stdout } = await runApp(['--set', 'OTEL_LOG_LEVEL=debug', ...QUESTION]);
  expect(stdout).toContain('Registered a global for trace');
});

/** What `workshop begin` makes, with the first `count` solutions of the README applied. */
async function solved(count: number) {
  const playground = await makePlayground({ number: '01', name: '01-console', dir: step }, false);
  await applyPatches(playground.dir, fencesIn(doIt, 'diff').slice(0, count));
  return playground;
}

/** The rows of the table in a section, without its head. */
function rowsOf(section: string): string[][] {
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** A span without what is different each time. */
function alike(span: ConsoleSpan | undefined) {
  const { resource, attributes } = span ?? {};
  return {
    ...span,
    resource: { attributes: { ...resource?.attributes, 'service.instance.id': '' } },
    ...{ traceId: '', id: '', timestamp: 0, duration: 0 },
    attributes: { ...attributes, 'llm.api.url': '', 'server.port': 0, 'gen_ai.response.id': '' },
  };
}
