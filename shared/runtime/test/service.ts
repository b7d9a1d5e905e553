// A service for tests: answers with the question, and has a bug that the question 'bug' finds.
import express from 'express';
import { answer, handleErrors, pageFolder, Question, serve } from '../src/serve.ts';

const app = express();
app.use(express.json(), express.static(pageFolder));
app.post('/ask', (request, response) => {
  const { question } = Question.parse(request.body);
  if (question === 'bug') throw new Error('a bug');
  console.log(`asked: ${question}`);
  return answer(response, { reply: question });
});
app.use(handleErrors);
serve(app, Number(process.argv[2]));
