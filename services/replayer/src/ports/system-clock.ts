// The port to this host's wall clock.
import type { SystemClockFacts } from '@capfleet/shared/contract/reference-clock';

export interface SystemClock {
  /** Where it is now, and what the kernel says of it. */
  read(): SystemClockFacts;
}
