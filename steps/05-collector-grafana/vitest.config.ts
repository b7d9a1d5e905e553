import { lesson } from '@workshop/testkit/vitest';

export default lesson('pipelines', 'signals', 'collector', 'redaction');
