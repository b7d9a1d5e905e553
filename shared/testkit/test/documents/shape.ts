import type { Check, Problem } from './document.ts';

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

/** A step's README has the headings of every step, tasks that are numbered, and begins with the command that begins it. */
export const isShaped: Check = ({ step, lines, fences }) => {
  if (!step) return [];
  const problems: Problem[] = [];
  const headings = lines.filter(({ text }) => /^#{1,3} /.test(text));
  const sections = headings.filter(({ text }) => text.startsWith('## '));
  for (const index of [...HEADINGS.keys(), HEADINGS.length]) {
    const { text = '', number: line = 1 } = sections[index] ?? {};
    if (text.slice('## '.length) === (HEADINGS[index] ?? '')) continue;
    problems.push({
      line,
      says: `the heading here is ${HEADINGS[index] ? `"## ${HEADINGS[index]}"` : 'one too many'}.`,
    });
    break;
  }
  const [title] = headings;
  if (!title?.text.startsWith(`# Step ${step.number}: `)) {
    problems.push({ line: title?.number ?? 1, says: `the title is "# Step ${step.number}: ..."` });
  }
  const last = headings.slice(-2);
  if (last.map(({ text }) => text).join() !== '### Checkpoint,### In your own app') {
    problems.push({ line: last[0]?.number ?? 1, says: 'it ends with "### Checkpoint" and "### In your own app".' });
  }
  for (const [index, { text, number }] of headings.filter(({ text }) => text.startsWith('### Task ')).entries()) {
    if (!text.startsWith(`### Task ${index + 1}: `))
      problems.push({ line: number, says: `this is task ${index + 1}.` });
  }
  const begin = fences.find(({ section }) => section === 'Do it');
  if (begin?.lines[0] !== `npx workshop begin ${step.number}`) {
    problems.push({ line: begin?.line ?? 1, says: `"Do it" begins with npx workshop begin ${step.number}.` });
  }
  return problems;
};
