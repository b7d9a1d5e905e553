export { default } from '@workshop/testkit/vitest';
