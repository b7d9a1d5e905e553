type Asked = {
  reply?: object;
  error?: { type: string; message: string };
  traceId?: string;
  traceUrl?: string;
  logsUrl?: string;
};

/** Posts a question to the frontend that runs, and prints the reply and its trace. Throws an Error if there is none. */
export async function ask(question: string): Promise<void> {
  const frontend = `http://localhost:${process.env.FRONTEND_PORT || 8080}`;
  const { reply, error, traceId, traceUrl, logsUrl } = await post(`${frontend}/ask`, question);
  if (reply) console.log(JSON.stringify(reply, null, 2));
  if (traceId) console.log(`\nTrace: ${traceId}${traceUrl ? `  ${traceUrl}` : ''}`);
  if (logsUrl) console.log(`Log records: ${logsUrl}`);
  if (error) throw new Error(`No reply (${error.type}): ${error.message}`);
  if (!reply)
    throw new Error(`What answers at ${frontend} is no frontend of the workshop. Set FRONTEND_PORT, as in --help.`);
}

async function post(url: string, question: string): Promise<Asked> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ question }) }).catch(() => {
    throw new Error(
      `No frontend answers at ${url}. Start it in another terminal: npm start in step 04 or 05. ` +
        'Does it listen on another port? npx workshop ask --set FRONTEND_PORT=8090 "What is a trace?"',
    );
  });
  // What listens there may be another program, which answers with a page.
  return (await response.json().catch(() => ({}))) as Asked;
}
