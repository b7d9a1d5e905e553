import { handleErrors, Question, serve, stopping } from '@workshop/runtime/serve';
import express from 'express';
import { callLlm } from './llm.ts';

const app = express();
app.use(express.json());

app.get('/health', (_request, response) => {
  response.json({ status: 'ok' });
});

app.post('/ask', async (request, response) => {
  const { question } = Question.parse(request.body);
  const { reply } = await callLlm(question, stopping);
  response.json({ reply });
});

app.use(handleErrors);
serve(app, Number(process.env.BACKEND_PORT || 8081));
