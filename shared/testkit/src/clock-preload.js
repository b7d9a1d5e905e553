// Loaded by programs under test before all else: their clock is an hour ahead while the file CLOCK_FILE is there.
import { existsSync } from 'node:fs';

const HOUR_MS = 3_600_000;
const RealDate = Date;

globalThis.Date = class extends RealDate {
  static now() {
    return RealDate.now() + (existsSync(String(process.env.CLOCK_FILE)) ? HOUR_MS : 0);
  }

  constructor(...time) {
    super(...(time.length > 0 ? time : [Date.now()]));
  }
};
