// What a comparison must keep to, and what of that does not hold.
import type { Finding } from '../contract/report.ts';
import { formatDuration } from '../time/nanos.ts';
import type { Comparison } from './comparison.ts';

/** Greatest values that are allowed, the last one excepted; null: not judged by. Times are ns. */
export interface ComparisonLimits {
  readonly loss: number | null;
  readonly duplicates: number | null;
  readonly foreign: number | null;
  readonly inversions: number | null;
  readonly displaced: number | null;
  readonly deviation: number | null;
  readonly deviationP99: number | null;
  readonly gapError: number | null;
  readonly gapErrorP99: number | null;
  readonly lateness: number | null;
  readonly latenessP99: number | null;
  /** Parts per million, either way. */
  readonly drift: number | null;
  /** Least κ. */
  readonly consistency: number | null;
}

/** Every packet once, in order. Others may use the wire, and times are for whoever names a limit. */
export const defaultLimits: ComparisonLimits = {
  loss: 0,
  duplicates: 0,
  foreign: null,
  inversions: 0,
  displaced: null,
  deviation: null,
  deviationP99: null,
  gapError: null,
  gapErrorP99: null,
  lateness: null,
  latenessP99: null,
  drift: null,
  consistency: null,
};

/** One finding for each limit. What cannot be measured does not hold. */
export function judge(comparison: Comparison, limits: ComparisonLimits, sensor: string | null): Finding[] {
  const { timing, lateness, order, consistency } = comparison;
  const findings: Finding[] = [];
  const check = (
    name: string,
    value: number | null | undefined,
    limit: number | null,
    show: (value: number) => string,
    least = false,
  ): void => {
    if (limit === null) return;
    const holds = value != null && (least ? value >= limit : Math.abs(value) <= limit);
    const found = value == null ? 'not measurable' : show(value);
    const bound = `${least ? 'at least' : 'limit'} ${show(limit)}`;
    findings.push({ check: name, sensor, holds, text: `${found} (${bound})` });
  };
  check('loss', comparison.lost, limits.loss, packets);
  check('duplicates', comparison.duplicated, limits.duplicates, packets);
  check('foreign packets', comparison.foreign, limits.foreign, packets);
  check('inversions', order.inversions, limits.inversions, String);
  check('displaced', order.displaced, limits.displaced, packets);
  check('deviation max', timing?.deviation.max, limits.deviation, time);
  check('deviation p99', timing?.deviation.p99, limits.deviationP99, time);
  check('gap error max', timing?.gapError.max, limits.gapError, time);
  check('gap error p99', timing?.gapError.p99, limits.gapErrorP99, time);
  check('lateness max', lateness?.max, limits.lateness, time);
  check('lateness p99', lateness?.p99, limits.latenessP99, time);
  check('drift', timing?.drift, limits.drift, (ppm) => `${ppm.toFixed(3)} ppm`);
  check('consistency', consistency.kappa, limits.consistency, (kappa) => kappa.toFixed(6), true);
  return findings;
}

function packets(count: number): string {
  return `${String(count)} packet${count === 1 ? '' : 's'}`;
}

function time(ns: number): string {
  return formatDuration(BigInt(Math.round(ns)));
}
