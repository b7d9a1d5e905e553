import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findStep, root } from '@workshop/lessons/steps';
import { fencesIn, missingLines, sectionOf } from '@workshop/testkit/readme';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';
import { faults, guide } from './facilitator.ts';
import { doctor } from './run-doctor.ts';

const workshop = await copyWorkshop();
const { run } = workshop;
afterAll(workshop[Symbol.asyncDispose]);

beforeEach(() => run(['begin', '01']));

test('the guide quotes the checks of doctor', async () => {
  const [quoted] = fencesIn(sectionOf(guide, 'Before the day'), 'text');
  const names = [...String(quoted).matchAll(/^(?:ok|warn|FAIL) +(\S+)/gm)].map(([, name]) => name);
  const { stdout } = await doctor({}, '--json');
  expect(names).toEqual(JSON.parse(stdout).map(({ name }: { name: string }) => name));
});

test('the guide quotes what begin prints', async () => {
  const outputs: string[] = [];
  for (const args of ['begin 03', 'begin 03 --solved', 'begin --list', 'begin --restore']) {
    outputs.push((await run(args.split(' '))).stdout);
  }
  const quoted = fencesIn(sectionOf(guide, 'Bring anyone to any step'), 'text');
  expect(quoted).toHaveLength(outputs.length);
  for (const [i, text] of quoted.entries()) {
    expect(missingLines(withoutTimes(text), withoutTimes(String(outputs[i])))).toEqual([]);
  }
});

test('the guide quotes what an attendee pastes', async () => {
  const section = sectionOf(guide, 'Watch the class');
  const [json] = fencesIn(section, 'json');
  expect(JSON.parse((await run(['check', '--json'])).stdout)).toEqual(JSON.parse(String(json)));
  // The lane and the backends are those of this machine.
  const quoted = fencesIn(section, 'text')
    .join('')
    .replace(/^(Lane|Backends):.*/gm, '');
  expect(missingLines(quoted, (await run([])).stdout)).toEqual([]);
});

test("the guide's causes are those of the capstone, in their order", async () => {
  const capstone = await readFile(join(root, 'steps', '05-collector-grafana', 'capstone.ts'), 'utf8');
  const causes = [...capstone.matchAll(/\bcause:\s*(['"])(.*?)\1[,\s]/g)].map(([, , cause]) => cause);
  expect(faults.map(({ cause }) => cause)).toEqual(causes);
  expect(faults.map(({ number }) => number)).toEqual(causes.map((_cause, i) => String(i + 1)));
});

test('the guide cuts sections that the READMEs have', async () => {
  const cuts = [...guide.matchAll(/^\| (\d\d): \*(.+?)\*/gm)].map(([, step, heading]) => ({ step, heading }));
  expect(cuts).not.toEqual([]);
  for (const { step, heading } of cuts) {
    const readme = await readFile(join(String(findStep(String(step))?.dir), 'README.md'), 'utf8');
    expect(readme, `the README of step ${step}`).toContain(`### ${heading}\n`);
  }
});

/** The names of saved playgrounds are times. */
function withoutTimes(text: string): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT[\d-]+/g, 'TIME');
}
