export { withBackends as default } from '@workshop/testkit/vitest';
