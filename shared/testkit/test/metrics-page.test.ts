import { seriesOn } from '@workshop/backends/prometheus';
import { expect, test } from 'vitest';

const page = `# HELP call_duration How long calls take
# UNIT call_duration s
# TYPE call_duration histogram
call_duration_count{model="a"} 3
call_duration_sum{model="a"} 0.25
call_duration_bucket{model="a",le="0.1"} 2
call_duration_bucket{model="a",le="+Inf"} 3
call_duration_count{model="b",error_type="timeout"} 1
call_duration_sum{model="b",error_type="timeout"} 30
call_duration_bucket{model="b",error_type="timeout",le="0.1"} 0
call_duration_bucket{model="b",error_type="timeout",le="+Inf"} 1
# TYPE said gauge
said{text="a \\"quoted\\" {brace}, a \\\\ and\\na line"} 1e-3 1700000000000
without_labels +Inf
`;

test('two histograms of one name stay two, each with its own buckets', () => {
  expect(seriesOn(page, 'call_duration_count')).toEqual([
    { labels: { model: 'a' }, value: 3 },
    { labels: { model: 'b', error_type: 'timeout' }, value: 1 },
  ]);
  expect(seriesOn(page, 'call_duration_bucket').map(({ labels, value }) => [labels.model, labels.le, value])).toEqual([
    ['a', '0.1', 2],
    ['a', '+Inf', 3],
    ['b', '0.1', 0],
    ['b', '+Inf', 1],
  ]);
});

test('values of labels are unescaped, braces and commas in them are text', () => {
  expect(seriesOn(page, 'said')).toEqual([{ labels: { text: 'a "quoted" {brace}, a \\ and\na line' }, value: 0.001 }]);
});

test('a series without labels, a value that is infinite, a name that is only the beginning of another', () => {
  expect(seriesOn(page, 'without_labels')).toEqual([{ labels: {}, value: Number.POSITIVE_INFINITY }]);
  expect(seriesOn(page, 'call_duration')).toEqual([]);
});
