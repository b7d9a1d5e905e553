import { expect, test } from 'vitest';
import { start } from '../src/app.ts';

test('an app that ends without the expected line shows what it wrote to stderr', async () => {
  await using app = start('node', ['-e', 'console.log("begins"); console.error("the port is taken")'], {});
  const failure = await app.shows(/listening/).catch(String);
  expect(failure).toContain('the port is taken');
  expect(failure).toContain('begins');
});
