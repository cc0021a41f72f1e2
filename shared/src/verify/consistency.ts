// One number for how alike two captures of a replay are, after "Choir" (the paper's four parts, as reconstructed in
// docs/decisions/0009): each part is 0 for no difference, 1 for the largest.

export interface Consistency {
  /** Packets that only one side has. */
  readonly U: number;
  /** Packets out of their order. */
  readonly O: number;
  /** Places in time; null where the plan has no times. */
  readonly L: number | null;
  /** Gaps; null where the plan has no times. */
  readonly I: number | null;
  /** 1 − the length of the four, as a share of the longest; what is null counts as no difference. */
  readonly kappa: number;
}

export interface ConsistencyInput {
  readonly sent: number;
  readonly received: number;
  readonly displaced: number;
  /** Whether the plan has times. */
  readonly timed: boolean;
  /** Of the packets that both have, ns since the first of them, in the order of the plan. */
  readonly planned: Float64Array;
  readonly arrived: Float64Array;
}

export function consistency({
  sent,
  received,
  displaced,
  timed,
  planned,
  arrived,
}: ConsistencyInput): Consistency {
  const both = planned.length;
  const U = sent + received === 0 ? 0 : 1 - (2 * both) / (sent + received);
  const O = both > 1 ? displaced / (both - 1) : 0;
  if (!timed) return { U, O, L: null, I: null, kappa: 1 - Math.hypot(U, O) / 2 };
  const [toTake, took] = [span(planned), span(arrived)];
  const total = toTake + took;
  const longest = Math.max(toTake, took);
  let places = 0;
  let gaps = 0;
  for (let index = 0; index < both; index += 1) {
    places += Math.abs((arrived[index] as number) - (planned[index] as number));
    if (index === 0) continue;
    const dueGap = (planned[index] as number) - (planned[index - 1] as number);
    gaps += Math.abs((arrived[index] as number) - (arrived[index - 1] as number) - dueGap);
  }
  const L = longest === 0 ? 0 : Math.min(1, places / (both * longest));
  const I = total === 0 ? 0 : Math.min(1, gaps / total);
  return { U, O, L, I, kappa: 1 - Math.hypot(U, O, L, I) / 2 };
}

function span(times: Float64Array): number {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const time of times) {
    first = Math.min(first, time);
    last = Math.max(last, time);
  }
  return times.length === 0 ? 0 : last - first;
}
