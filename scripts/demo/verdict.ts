// Judges the demo: each line is one promise, held against what was measured at the receiving end.
import type { RunReport } from '@capfleet/shared/contract/report';
import { formatDuration, MILLISECOND } from '@capfleet/shared/time/nanos';
import type { Comparison } from '../../test/support/compare-replay.ts';

export interface VerdictLine {
  readonly holds: boolean;
  readonly text: string;
}

export interface Measured {
  readonly report: RunReport;
  readonly comparison: Comparison;
  /** Null where nobody knows the truth. */
  readonly lanesRight: boolean | null;
}

export function judge({ report, comparison, lanesRight }: Measured): VerdictLine[] {
  const lines: VerdictLine[] = [];
  if (lanesRight !== null) {
    lines.push({ holds: lanesRight, text: 'the map found the capture threads, and every file in its own' });
  }
  for (const { sensor, expected, received, inPlace, firstWrong } of comparison.sensors) {
    const wrong = firstWrong === null ? '' : `, the first wrong one is number ${String(firstWrong)}`;
    lines.push({
      holds: inPlace === expected && received === expected,
      text: `${sensor}: ${String(inPlace)} of ${String(expected)} packets arrived, in order, byte for byte${wrong}`,
    });
  }
  for (const { sensor, endDrift } of comparison.sensors) {
    lines.push(within(`${sensor}: end drift`, endDrift, MILLISECOND));
  }
  const clocks = BigInt(report.startSkew?.clockBound ?? 0);
  lines.push(within('start skew between the sensors', comparison.startSkew, MILLISECOND + clocks));
  // What a sensor may be off by is a time on the wire, so that is where the order between sensors is judged.
  const [onWire] = comparison.outOfOrder;
  if (onWire)
    lines.push({ holds: onWire.packets === 0, text: overtaken(onWire.packets, '1 ms on the wire') });
  return lines;
}

/** At other speeds than 1: the same count for 1 ms of source time, which is then another distance on the wire. */
export function noteOnSourceOrder({ comparison }: Pick<Measured, 'comparison'>): string | null {
  const inSource = comparison.outOfOrder[1];
  return inSource ? `for information: ${overtaken(inSource.packets, '1 ms in the source')}` : null;
}

/** Behind a verdict that does not hold. */
export const IF_IT_FAILS = 'On a busy or shared host this can happen: close other programs and run it again.';

/** What the sensors say that this host cost them, and what to do about it. */
export function costs(report: RunReport): string[] {
  return report.sensors.flatMap(({ sensor, result }) =>
    (result?.warnings ?? []).map(({ message, advice }) => `${sensor}: ${message}; ${advice}`),
  );
}

function overtaken(packets: number, distance: string): string {
  return `${packets === 0 ? 'no' : String(packets)} packets overtook another sensor's packet more than ${distance} before them`;
}

function within(what: string, value: bigint, limit: bigint): VerdictLine {
  const size = value < 0n ? -value : value;
  return { holds: size <= limit, text: `${what} ${formatDuration(value)} (limit ${formatDuration(limit)})` };
}

export function showComparison({ report, comparison }: Pick<Measured, 'report' | 'comparison'>): string {
  const rows = [
    [
      'sensor',
      'packets',
      'clock ±',
      'deviation p50',
      'p90',
      'p99',
      'max',
      'gap error p50',
      'p90',
      'p99',
      'max',
    ],
    ...comparison.sensors.map(({ sensor, received, deviation, gapError }) => {
      const clock = report.sensors.find((candidate) => candidate.sensor === sensor)?.clockBound;
      const spans = [deviation, gapError].flatMap(({ p50, p90, p99, max }) => [p50, p90, p99, max]);
      return [
        sensor,
        String(received),
        clock == null ? '-' : formatDuration(BigInt(clock)),
        ...spans.map(formatDuration),
      ];
    }),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
    .join('\n');
}
