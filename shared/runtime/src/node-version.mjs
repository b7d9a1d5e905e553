// Plain JavaScript, like all that runs before the right Node is sure: it must load on old ones.
import { readFileSync } from 'node:fs';

const root = new URL('../../../package.json', import.meta.url);
const required = JSON.parse(readFileSync(root, 'utf8')).engines.node.replace('>=', '');

export const isEnough = compare(process.versions.node, required) >= 0;

export const advice =
  `This workshop needs Node ${required} or newer, and this is Node ${process.versions.node}. ` +
  'Install Node 24 (https://nodejs.org), then run npm ci again.';

function compare(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}
