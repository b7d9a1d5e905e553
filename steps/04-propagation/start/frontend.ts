import { answer, handleErrors, pageFolder, Question, serve } from '@workshop/runtime/serve';
import express from 'express';

const backend = process.env.BACKEND_URL || 'http://localhost:8081';
const timeout = Number(process.env.BACKEND_TIMEOUT_MS || 35_000);

const app = express();
app.use(express.json(), express.static(pageFolder));

app.get('/health', (_request, response) => {
  response.json({ status: 'ok' });
});

app.post('/ask', async (request, response) => {
  const { question, sessionId } = Question.parse(request.body);
  const asked = await fetch(`${backend}/ask`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ question, sessionId }),
    signal: AbortSignal.timeout(timeout),
  });
  response.status(asked.status);
  answer(response, (await asked.json()) as object);
});

app.use(handleErrors);
serve(app, Number(process.env.FRONTEND_PORT || 8080));
