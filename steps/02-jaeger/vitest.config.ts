import { lesson } from '@workshop/testkit/vitest';

export default lesson('trace', 'exit');
