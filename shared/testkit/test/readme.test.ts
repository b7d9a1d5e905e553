import { masked, missingLines } from '@workshop/testkit/readme';
import { expect, test } from 'vitest';

test.each([
  ["traceId: '0af7651916cd43dd8448eb211c80319c'", "traceId: 'TRACE_ID'"],
  ['traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'traceparent: 00-TRACE_ID-SPAN_ID-01'],
  ['timestamp: 1795711234567000, duration: 12304.5,', 'timestamp: TIME, duration: DURATION,'],
  ['2026-11-24T10:01:02.345Z 10:01:02 1795711234.567', 'TIME TIME TIME'],
  ['answered in 1.2 s, after 3ms', 'answered in DURATION, after DURATION'],
  ['http://localhost:41234/trace at 127.0.0.1:80', 'http://localhost:PORT/trace at 127.0.0.1:PORT'],
  [`'server.port': 4321, server_port="4321"`, `'server.port': PORT, server_port="PORT"`],
  ['session.id=3d4f2bd1-0000-4000-8000-1234567890ab', 'session.id=UUID'],
  ['input_tokens: 96, 200 spans, step 02', 'input_tokens: 96, 200 spans, step 02'],
])('masked: %s', (text, expected) => {
  expect(masked(text)).toBe(expected);
});

test('a quoted line is missing unless the output has it, whatever its ids are and whatever ... stands for', () => {
  const output = "  traceId: '0af7651916cd43dd8448eb211c80319c',\n  name: 'call_llm_api',\n  kind: 0,";
  const quoted = "traceId: '1111651916cd43dd8448eb211c80319c',\n\n  name: '...',\n  kind: 2,";
  expect(missingLines(quoted, output)).toEqual(['kind: 2,']);
});
