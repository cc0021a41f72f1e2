// Reads this host's wall clock through the native core.
import type { NativeBinding } from '../native/binding.ts';
import type { SystemClock } from '../ports/system-clock.ts';

/** TIME_ERROR of adjtimex: nothing disciplines the clock. */
const UNSYNCHRONISED = 5;
/** An interruption in all of them is as good as impossible. */
const READINGS = 15;

export function nativeSystemClock(native: Pick<NativeBinding, 'clockFacts' | 'wallOffset'>): SystemClock {
  return {
    read() {
      const { state, maxErrorUs, taiOffset } = native.clockFacts();
      const { offset, bound } = native.wallOffset(READINGS);
      return {
        offset: String(offset),
        readBound: String(bound),
        synchronised: state !== UNSYNCHRONISED,
        maxErrorUs,
        taiOffset,
      };
    },
  };
}
