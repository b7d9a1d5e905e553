const form = document.querySelector('form');
const button = document.querySelector('button');
const status = document.querySelector('#status');
const reply = document.querySelector('#reply');
const trace = document.querySelector('#trace');
const logs = document.querySelector('#logs');
// One for each tab: sessionStorage is not shared between them.
sessionStorage.sessionId ??= crypto.randomUUID();
const { sessionId } = sessionStorage;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  show('Waiting for the model ...');
  reply.hidden = trace.hidden = logs.hidden = button.disabled = true;
  try {
    const response = await fetch('/ask', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ question: form.elements.question.value, sessionId }),
    });
    const body = await response.json();
    if (body.error) show(`No reply (${body.error.type}): ${body.error.message}`, true);
    else showReply(body.reply);
    showTrace(body);
  } catch {
    show('No reply: the frontend does not answer. Does it run?', true);
  }
  button.disabled = false;
});

function show(text, isError = false) {
  status.textContent = text;
  status.classList.toggle('error', isError);
}

/** As text: what a model writes is not to be trusted as HTML. */
function showReply(fields) {
  show('');
  for (const place of reply.querySelectorAll('dd')) place.textContent = fields[place.dataset.field];
  reply.hidden = false;
}

/** The links are there only if the pages are, and a trace that is not sampled is on none. */
function showTrace({ traceId = '', sampled, traceUrl, logsUrl }) {
  if (sampled === undefined) return;
  trace.replaceChildren('Trace: ', traceUrl ? link(traceUrl, traceId) : traceId, sampled ? '' : ' not sampled');
  trace.hidden = false;
  if (!logsUrl) return;
  logs.replaceChildren(link(logsUrl, 'Log records'));
  logs.hidden = false;
}

function link(href, textContent) {
  return Object.assign(document.createElement('a'), { href, target: '_blank', textContent });
}
