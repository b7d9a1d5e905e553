import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const step = join(import.meta.dirname, '../../../steps/05-collector-grafana');
const serviceOf = async (file: string) => parse(await readFile(join(step, file), 'utf8')).service;

test('class/collector.yaml keeps what the lists of collector.yaml hold, and adds its own', async () => {
  const [own, laidOver] = [await serviceOf('collector.yaml'), await serviceOf('class/collector.yaml')];
  expect(laidOver.extensions).toEqual([...own.extensions, 'bearertokenauth']);
  for (const [name, { receivers }] of Object.entries<{ receivers: string[] }>(own.pipelines))
    expect(laidOver.pipelines[name], name).toEqual({ receivers: [...receivers, 'otlp/class'] });
});
