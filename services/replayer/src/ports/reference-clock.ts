// The port to the clock that all sensors share.
import type { ClockOffset } from '@capfleet/shared/time/clock-offset';

export interface ReferenceClock {
  /** Takes so many probes, one after the other, and gives the best; waits for as long as there is no answer. */
  measure(probes: number): Promise<ClockOffset>;
  close(): Promise<void>;
}
