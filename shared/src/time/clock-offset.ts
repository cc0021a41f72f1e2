// The offset between a local monotonic clock and the reference clock, from four-stamp probes (NTP's exchange with
// the server's two stamps taken as one). Pure: it never reads a clock. The probe with the smallest round trip
// wins, and half of that round trip bounds the error whatever the path's asymmetry.
import type { Nanos } from './nanos.ts';

/** One probe: local monotonic before and after, the reference clock's reading in between. */
export interface ClockProbe {
  readonly sent: Nanos;
  readonly reference: Nanos;
  readonly received: Nanos;
}

/** reference = monotonic + offset, within ± bound. */
export interface ClockOffset {
  /** Local monotonic, the middle of the exchange that the offset is from. */
  readonly at: Nanos;
  readonly offset: Nanos;
  readonly bound: Nanos;
  readonly roundTrip: Nanos;
  readonly probes: number;
}

/**
 * Folds probes into an offset.
 * @param resolution the reference clock's step in ns (Redis TIME: 1,000); it widens the bound, because a reading
 *   stands for the whole step that follows it. The middle of the step is taken.
 */
export function estimateOffset(probes: readonly ClockProbe[], resolution: Nanos): ClockOffset {
  let best: ClockProbe | undefined;
  for (const probe of probes) {
    if (probe.received < probe.sent) continue;
    if (!best || probe.received - probe.sent < best.received - best.sent) best = probe;
  }
  if (!best) throw new RangeError('no usable clock probe');
  const roundTrip = best.received - best.sent;
  return {
    at: best.sent + roundTrip / 2n,
    offset: best.reference + resolution / 2n - (best.sent + roundTrip / 2n),
    bound: (roundTrip + 1n) / 2n + (resolution + 1n) / 2n,
    roundTrip,
    probes: probes.length,
  };
}
