import type { Check, Line, Problem } from './document.ts';

/** What every step's README is divided into, in this order. */
const HEADINGS = [
  'Goal',
  'Time',
  'Do it',
  'Run it',
  'See it',
  'Check it',
  'What changed',
  'On call',
  'Break it',
  'If it does not work',
  'Going further',
];

/** A step's README has its headings in order, numbered tasks, a question in Goal, and the answer in See it. */
export const isShaped: Check = ({ step, lines, fences }) => {
  if (!step) return [];
  const headings = lines.filter(({ text }) => /^#{1,3} /.test(text));
  const sections = headings.filter(({ text }) => text.startsWith('## '));
  const tasks = headings.filter(({ text }) => text.startsWith('### Task '));
  const wrong = [...HEADINGS, undefined].findIndex((name, i) => sections[i]?.text !== (name && `## ${name}`));
  const begin = `npx workshop begin ${step.number}`;
  const last = headings.slice(-2);
  return [
    ...unless(
      headings[0]?.text.startsWith(`# Step ${step.number}: `),
      headings[0],
      `the title is "# Step ${step.number}: ..."`,
    ),
    ...unless(
      wrong < 0,
      sections[wrong],
      `the heading here is ${HEADINGS[wrong] ? `"## ${HEADINGS[wrong]}"` : 'too many'}.`,
    ),
    ...unless(
      last.map(({ text }) => text).join() === '### Checkpoint,### In your own app',
      last[0],
      'it ends with "### Checkpoint" and "### In your own app".',
    ),
    ...tasks.flatMap((task, i) => unless(task.text.startsWith(`### Task ${i + 1}: `), task, `this is task ${i + 1}.`)),
    ...unless(
      fences.find(({ section }) => section === 'Do it')?.lines[0] === begin,
      sections.find(({ text }) => text === '## Do it'),
      `"Do it" begins with a block whose first line is ${begin}.`,
    ),
    ...[['Goal', '**Predict'] as const, ['See it', 'our prediction'] as const].flatMap(([name, words]) => {
      const heading = lines.findIndex(({ text }) => text === `## ${name}`);
      const next = lines.findIndex(({ text }, i) => i > heading && text.startsWith('## '));
      const has = lines.slice(heading, next).some(({ text }) => text.includes(words));
      return unless(has, lines[heading], `"${name}" has no "${words}".`);
    }),
  ];
};

function unless(isRight: boolean | undefined, line: Line | undefined, says: string): Problem[] {
  return isRight ? [] : [{ line: line?.number ?? 1, says }];
}
