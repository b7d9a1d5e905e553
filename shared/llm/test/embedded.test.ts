import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { connectLlm } from '../src/llm.ts';

test('the embedded model answers the README question, and any other honestly', async () => {
  const llm = await connectLlm({});
  expect(llm).toMatchObject({ address: '127.0.0.1', provider: 'workshop.embedded', model: 'workshop-stand-in' });

  const known = await llm.ask('what is the BIGGEST capital city in Asia');
  expect(known.reply.text).toContain('Tokyo');
  const unknown = await llm.ask('Who wrote "Hamlet"?');
  expect(unknown.reply).toMatchObject({ query: 'Who wrote "Hamlet"?', text: expect.stringContaining('stand-in') });
  expect(unknown.outputTokens).toBeGreaterThan(0);
});

test('the same question has the same answer', async () => {
  const llm = await connectLlm({});
  const [one, two] = [await llm.ask('What is a span?'), await llm.ask('What is a span?')];
  expect({ ...one, responseId: '' }).toEqual({ ...two, responseId: '' });
});

test('it is started once per process', async () => {
  const [one, two] = await Promise.all([connectLlm({}), connectLlm({})]);
  expect(one.url).toBe(two.url);
});

test('it ends with the program, also when that is killed', async () => {
  const script = `
    const { connectLlm } = await import('@workshop/llm');
    console.log((await connectLlm()).url);
    setInterval(() => {}, 1000);`;
  const program = execa(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: join(import.meta.dirname, '..'),
    env: { LLM_BASE_URL: '', LLM_FAULT: '' },
    reject: false,
  });
  const [url] = await program.stdout.take(1).toArray();
  const isUp = () =>
    fetch(String(url)).then(
      () => true,
      () => false,
    );
  expect(await isUp()).toBe(true);

  program.kill('SIGKILL');
  await program;
  await expect.poll(isUp, { timeout: 5_000 }).toBe(false);
});
