import type { Reply } from './reply.ts';

/** What the embedded model knows: the questions of the READMEs. */
const known: Reply[] = [
  {
    query: 'What is the biggest capital city in Asia?',
    joke: 'Why does nobody play hide and seek in Tokyo? Because with 37 million people around you are never the last one found.',
    text: 'Tokyo, the capital of Japan: about 37 million people live in its metropolitan area, more than around any other capital in the world.',
    question: 'What is the highest mountain in Japan?',
  },
  {
    query: 'What is the highest mountain in Japan?',
    joke: 'Mount Fuji never joins the party: it is afraid of blowing its top.',
    text: 'Mount Fuji, 3,776 metres high, on the island of Honshu. It is a volcano that last erupted in 1707.',
    question: 'What is a trace?',
  },
  {
    query: 'What is a trace?',
    joke: 'A span walks into a bar. The barman asks: "And where are your parents?"',
    text: 'A trace is the way of one request through a system, told as a tree of spans that share one trace id. Each span is one operation with a start, an end and attributes.',
    question: 'What is a span?',
  },
  {
    query: 'What is a span?',
    joke: 'A span never says goodbye. It just ends, and only once.',
    text: 'A span is one operation: a name, a start, an end, attributes, a status, and the id of the span that it belongs to.',
    question: 'What is a metric?',
  },
  {
    query: 'What is a metric?',
    joke: 'A histogram goes to the gym: it has far too many buckets and not enough weight.',
    text: 'A metric is a number that is measured over time, such as requests per second. It says that something is wrong; traces say where, and logs say why.',
    question: 'What is a trace?',
  },
];

/** The answer to one of the READMEs' questions; to any other an honest one that repeats the question. */
export function answerTo(question: string): Reply {
  return (
    known.find(({ query }) => normalize(query) === normalize(question)) ?? {
      query: question,
      joke: 'How many stand-in models does it take to change a light bulb? One, as long as the light bulb is in its list.',
      text: `I am the workshop's stand-in for a language model and know only a few answers, none to: ${question}`,
      question: 'What is the biggest capital city in Asia?',
    }
  );
}

function normalize(question: string): string {
  return question
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}]+/gu, ' ')
    .trim();
}
