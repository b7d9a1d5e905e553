import { describe, expect, test } from 'vitest';
import { commandsExist } from './documents/commands.ts';
import { type Check, type Document, parseDocument, paths, readDocument } from './documents/document.ts';
import { minutesAgree, sizesAreMeasured, versionsAreOurs } from './documents/numbers.ts';
import { codeIsQuoted, linksLead, portsAreOpen, variablesExist } from './documents/places.ts';
import { testsExist } from './documents/proof.ts';
import { isShaped } from './documents/shape.ts';
import { isPlain, isShort, isSpelled, ownWords, wordsOf } from './documents/words.ts';

const checks: [string, Check][] = [
  ['its headings are those of every step', isShaped],
  ['its commands and their options exist', commandsExist],
  ['its code stands in the file that it names', codeIsQuoted],
  ['its links and pictures lead somewhere', linksLead],
  ['its tables name tests that exist', testsExist],
  ['its ports are those that something listens on', portsAreOpen],
  ['its variables are read by something', variablesExist],
  ['its minutes agree with the map and add up', minutesAgree],
  ['its sizes of steps are measured', sizesAreMeasured],
  ['its packages have the versions of the lockfile', versionsAreOurs],
  ['it is short enough to read', isShort],
  ['its sentences are short and plain', isPlain],
  ['its words are spelled right', isSpelled],
];

async function problemsOf(check: Check, document: Document): Promise<string[]> {
  return (await check(document)).map(({ line, says }) => `${document.path}:${line}: ${says}`);
}

describe.each(paths)('%s', (path) => {
  test.each(checks)('%s', async (_name, check) => {
    expect(await problemsOf(check, await readDocument(path))).toEqual([]);
  });
});

test('every word of own-words.txt stands in a document', async () => {
  const documents = await Promise.all(paths.map(readDocument));
  const used = documents.flatMap((document) => [...wordsOf(document).keys()]);
  expect(ownWords.filter((word) => ![...used, ...used.map((each) => each.toLowerCase())].includes(word))).toEqual([]);
});

/** What would go wrong in a document, the check that finds it, and what it says. */
test.each<[string, Check, string, string, string?]>([
  [
    'a command that is none',
    commandsExist,
    '`npx workshop solve`',
    '`npx workshop solve`: there is no command solve; there are ',
  ],
  [
    'an option that is none',
    commandsExist,
    '`npx workshop check --again`',
    '`npx workshop check --again`: it has no option --again.',
  ],
  ['a step that is none', commandsExist, sh('npx workshop begin 07'), '`npx workshop begin 07`: there is no step 07.'],
  [
    'a setting that is none',
    commandsExist,
    sh('npm start -- --set LLM_FALT=slow'),
    '`npm start -- --set LLM_FALT=slow`: --set cannot set LLM_FALT.',
  ],
  [
    'a script that is none',
    commandsExist,
    sh('cd playground && npm run locale'),
    '`npm run locale`: no package.json has a script locale.',
  ],
  [
    "a script of the root's",
    commandsExist,
    '`npm run bench`',
    '`npm run bench`: only the root has a script bench: say so.',
  ],
  [
    'a service that is none',
    commandsExist,
    sh('docker compose logs prometheus'),
    '`docker compose logs prometheus`: compose.yaml has no service prometheus.',
  ],
  [
    'a file that is none',
    commandsExist,
    sh('node --import ./telemetry.ts src/app.ts'),
    '`node --import ./telemetry.ts src/app.ts`: there is no ./telemetry.ts.',
  ],
  [
    'a quoted line that is none',
    codeIsQuoted,
    `In \`compose.yaml\`:\n${fence('yaml', 'services:\n  zipkin:')}`,
    'compose.yaml has no line `zipkin:`.',
  ],
  [
    'a diff that does not fit',
    codeIsQuoted,
    fence('diff', '--- a/src/app.ts\n+++ b/src/app.ts\n-await run();'),
    'src/app.ts has no line `await run();`.',
  ],
  ['a port that nobody has', portsAreOpen, 'http://localhost:9090', 'nothing listens on port 9090; known are '],
  ['a variable that nobody reads', variablesExist, sh('JAEGER_PORT=1 docker compose up'), 'nothing reads JAEGER_PORT.'],
  ['a link to nothing', linksLead, '[here](src/lm.ts)', '[here](src/lm.ts): there is no src/lm.ts.'],
  [
    'a link to another line',
    linksLead,
    '[`startSpan`](src/llm.ts#L1)',
    '[`startSpan`](src/llm.ts#L1): line 1 has no startSpan: ',
  ],
  ['a link to no heading', linksLead, '[below](#try-it)', '[below](#try-it): there is no heading #try-it.'],
  [
    'a picture without words',
    linksLead,
    '![trace](src/llm.ts)',
    '![trace](src/llm.ts): say in a few words what the picture shows.',
  ],
  [
    'a test that is none',
    testsExist,
    '| fault | test |\n|---|---|\n| Jaeger is down | [trace](test/trace.test.ts) `one span` |',
    'test/trace.test.ts has no test `one span`.',
  ],
  ['other minutes', minutesAgree, '## Time\n\n20 minutes.', 'README.md gives it 25 minutes.'],
  [
    'a wrong sum',
    minutesAgree,
    '| part | minutes |\n|---|---|\n| one | 20 |\n| **total** | 25 |',
    'the minutes add up to 20.',
  ],
  [
    'an old version',
    versionsAreOurs,
    sh('npm i @opentelemetry/api@1.9.0'),
    '`@opentelemetry/api@1.9.0`: ours is @opentelemetry/api@1.10.0.',
  ],
  ['any version', versionsAreOurs, sh('npm i left-pad@^1'), '`left-pad@^1`: name an exact version.'],
  ['too many lines', isShort, 'A line.\n\n'.repeat(101), '101 lines of prose: take out 1.'],
  ['a long sentence', isPlain, `${'and so on '.repeat(11)}.`, 'a sentence of 33 words: '],
  ['a word of no use', isPlain, 'You just ask.', 'say it without "just".'],
  ['a typing error', isSpelled, 'The exportr sends spans.', 'is "exportr" spelled right? '],
  ['another heading', isShaped, '# Step 02: traces\n\n## Aim', 'the heading here is "## Goal".'],
])('it is found: %s', async (_name, check, text, says, path = 'steps/02-jaeger/README.md') => {
  const problems = await problemsOf(check, parseDocument(path, text));
  expect(problems.join('\n')).toMatch(new RegExp(`^${path}:\\d+: ${RegExp.escape(says)}`, 'm'));
});

function sh(code: string): string {
  return fence('sh', code);
}

function fence(language: string, code: string): string {
  return `\`\`\`${language}\n${code}\n\`\`\``;
}
