import { lesson } from '@workshop/testkit/vitest';

export default lesson('collector', 'signals', 'redaction');
