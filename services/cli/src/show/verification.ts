// What a verification found, for people.
import { formatDuration } from '@capfleet/shared/time/nanos';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import type { Quantiles } from '@capfleet/shared/verify/timing';
import { formatCount, formatTable } from './text.ts';

export function showVerification({
  sent,
  received,
  matched,
  lost,
  foreign,
  order,
  timing,
  duration,
  consistency,
}: Comparison): string {
  const accounts = [
    `${formatCount(matched)} of ${formatCount(sent, 'packet')} arrived`,
    ...(lost > 0 ? [`${formatCount(lost)} lost`] : []),
    ...(foreign > 0
      ? [`${formatCount(foreign)} of ${formatCount(received)} received were not in the plan`]
      : []),
    order.displaced === 0
      ? 'in order'
      : `${formatCount(order.displaced)} out of order (${formatCount(order.inversions, 'inversion')})`,
  ];
  const lines = [`${accounts.join(', ')}\n`];
  if (timing) {
    lines.push(
      formatTable(
        [
          ['absolute error of', 'p50', 'p90', 'p99', 'p99.9', 'max'],
          ['schedule', ...quantileCells(timing.deviation)],
          ['gaps', ...quantileCells(timing.gapError)],
        ],
        [1, 2, 3, 4, 5],
      ),
      `planned ${span(duration.planned)}, took ${span(duration.received)}; end off by ${span(timing.endDeviation)}, drift ${timing.drift === null ? '-' : `${timing.drift.toFixed(3)} ppm`}\n`,
    );
  }
  const { U, O, L, I, kappa } = consistency;
  const parts = Object.entries({ U, O, L, I }).map(([name, value]) => `${name} ${value.toPrecision(2)}`);
  lines.push(`consistency κ ${kappa.toFixed(6)} (${parts.join(', ')}; our reconstruction of Choir)\n`);
  return lines.join('\n');
}

function quantileCells({ p50, p90, p99, p999, max }: Quantiles): string[] {
  return [p50, p90, p99, p999, max].map(span);
}

function span(ns: number): string {
  return formatDuration(BigInt(Math.round(ns)));
}
