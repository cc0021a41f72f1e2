// How far what was received is from when it was due: schedule deviation, gaps, drift. Everything is relative to the
// first packet that both sides have, so that the two clocks need no common origin.

/** Sizes of errors: ns, of the absolute values. */
export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Timing {
  /** |(tB − tB₀) − (tA − tA₀)|. */
  readonly deviation: Quantiles;
  /** |gap to the packet before, received − planned|. */
  readonly gapError: Quantiles;
  /** Deviation of the last packet, ns, signed: late is positive. */
  readonly endDeviation: number;
  /** Slope of the deviation over the plan, parts per million; null where the plan takes no time. */
  readonly drift: number | null;
}

/** Signed; late is positive. */
export interface Errors {
  /** Of each packet: (tB − tB₀) − (tA − tA₀), ns. */
  readonly deviations: Float64Array;
  /** Of each packet but the first: its gap to the one before, received − planned, ns. */
  readonly gaps: Float64Array;
}

/** Arrival − due by one clock. */
export interface Lateness extends Quantiles {
  /** Smallest, signed, ns: below zero a packet was early, or the clocks are not one. */
  readonly earliest: number;
}

/**
 * @param planned when each packet was due, ns since any instant, in the order of the plan
 * @param received when each of them arrived, ns since any instant
 */
export function errorsOf(planned: Float64Array, received: Float64Array): Errors {
  const count = planned.length;
  const first = { planned: planned[0] ?? 0, received: received[0] ?? 0 };
  const deviations = new Float64Array(count);
  const gaps = new Float64Array(Math.max(0, count - 1));
  for (let index = 0; index < count; index += 1) {
    const due = (planned[index] as number) - first.planned;
    deviations[index] = (received[index] as number) - first.received - due;
    if (index > 0) gaps[index - 1] = (deviations[index] as number) - (deviations[index - 1] as number);
  }
  return { deviations, gaps };
}

export function timing(planned: Float64Array, { deviations, gaps }: Errors): Timing {
  return {
    deviation: quantiles(deviations),
    gapError: quantiles(gaps),
    endDeviation: deviations.at(-1) ?? 0,
    drift: slope(planned, deviations),
  };
}

/** @param first of the first packet, signed */
export function lateness(deviations: Float64Array, first: number): Lateness {
  const late = deviations.map((deviation) => first + deviation);
  const earliest = late.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  return { ...quantiles(late), earliest };
}

/** Least squares, in millionths; the means are taken off first, so that long runs lose no precision. */
function slope(x: Float64Array, y: Float64Array): number | null {
  const meanX = mean(x);
  const meanY = mean(y);
  let across = 0;
  let along = 0;
  for (let index = 0; index < x.length; index += 1) {
    const distance = (x[index] as number) - meanX;
    across += distance * ((y[index] as number) - meanY);
    along += distance * distance;
  }
  return along === 0 ? null : (across / along) * 1e6;
}

function mean(values: Float64Array): number {
  let sum = 0;
  const first = values[0] ?? 0;
  for (const value of values) sum += value - first;
  return values.length === 0 ? 0 : first + sum / values.length;
}

/** Nearest rank, of the absolute values; zeros where there are none. */
export function quantiles(signed: Float64Array): Quantiles {
  const sizes = signed.map(Math.abs).sort();
  const at = (share: number): number => sizes[Math.max(0, Math.ceil(share * sizes.length) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}
