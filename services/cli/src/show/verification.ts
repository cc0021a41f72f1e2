// What a verification found, for people.
import type { Finding } from '@capfleet/shared/contract/report';
import { formatDuration } from '@capfleet/shared/time/nanos';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import type { Quantiles } from '@capfleet/shared/verify/timing';
import type { ReceivedFacts } from '../verify-replay.ts';
import { formatCount, formatTable, printable } from './text.ts';

/** No clock is as far off as this. */
const OTHER_SPEED = 0.01;

export interface ShownVerification {
  readonly comparison: Comparison;
  readonly received: ReceivedFacts;
  readonly reasons: readonly string[];
  readonly findings: readonly Finding[];
}

export function showVerification({ comparison, received, reasons, findings }: ShownVerification): string {
  return `${showComparison(comparison, [...receivedNotes(received), ...reasons])}\n${showFindings(findings)}`;
}

/** @param notes lines that a reader of the figures should know */
export function showComparison(comparison: Comparison, notes: readonly string[]): string {
  const { timed, timing, lateness, duration, consistency } = comparison;
  const lines = [`${accounts(comparison)}\n`];
  if (!timed)
    lines.push('the plan has no times (--topspeed): completeness and order are all that is judged\n');
  if (timing) {
    lines.push(
      formatTable(
        [
          ['absolute error of', 'p50', 'p90', 'p99', 'p99.9', 'max'],
          ['schedule', ...quantileCells(timing.deviation)],
          ['gaps', ...quantileCells(timing.gapError)],
          ...(lateness ? [['lateness', ...quantileCells(lateness)]] : []),
        ],
        [1, 2, 3, 4, 5],
      ),
      `planned ${span(duration.planned)}, took ${span(duration.received)}; end off by ${span(timing.endDeviation)}, drift ${timing.drift === null ? '-' : `${timing.drift.toFixed(3)} ppm`}\n`,
    );
    if (lateness && lateness.earliest < 0) lines.push(`earliest packet ${span(-lateness.earliest)} early\n`);
  }
  const { U, O, L, I, kappa } = consistency;
  const parts = Object.entries({ U, O, L, I }).flatMap(([name, value]) =>
    value === null ? [] : [`${name} ${value.toPrecision(2)}`],
  );
  lines.push(`consistency κ ${kappa.toFixed(6)} (${parts.join(', ')}; our reconstruction of Choir)\n`);
  const all = timed ? [...otherSpeed(duration), ...notes] : notes;
  if (all.length > 0) lines.push(all.map((note) => `note: ${printable(note)}\n`).join(''));
  return lines.join('\n');
}

/** A replay held against what it was not: as a rule options of it are missing here. */
function otherSpeed({ planned, received }: Comparison['duration']): string[] {
  const share = planned === 0 ? 1 : received / planned;
  if (Math.abs(share - 1) <= OTHER_SPEED) return [];
  return [
    `it took ${share.toPrecision(3)} × the time that was planned: give the options of the replay, as --time-modifier`,
  ];
}

function accounts({ sent, received, matched, lost, duplicated, foreign, order }: Comparison): string {
  return [
    `${formatCount(matched)} of ${formatCount(sent, 'packet')} arrived`,
    ...(lost > 0 ? [`${formatCount(lost)} lost`] : []),
    ...(duplicated > 0 ? [`${formatCount(duplicated)} more often than sent`] : []),
    order.displaced === 0
      ? 'in order'
      : `${formatCount(order.displaced)} out of order (${formatCount(order.inversions, 'inversion')})`,
    ...(foreign > 0
      ? [
          `${formatCount(foreign)} of ${formatCount(received)} received ${foreign === 1 ? 'was' : 'were'} not in the plan`,
        ]
      : []),
  ].join(', ');
}

function receivedNotes({ resolutions, kept, damaged }: ReceivedFacts): string[] {
  return [
    ...(resolutions.length === 1 && resolutions[0] === 'us'
      ? ['the far end has stamps of 1 µs: errors below that are its own']
      : []),
    ...(kept === null
      ? []
      : [
          `the far end kept ${formatCount(kept, 'byte')} of a packet: more was not compared, the length excepted`,
        ]),
    ...damaged.map(({ path, message }) => `${path} ends early (${message}): what is behind counts as lost`),
  ];
}

function showFindings(findings: readonly Finding[]): string {
  const broken = findings.filter(({ holds }) => !holds);
  if (broken.length === 0) return 'the verdict holds\n';
  return `the verdict does not hold\n${broken.map(({ check, text }) => `  ${check}: ${text}\n`).join('')}`;
}

function quantileCells({ p50, p90, p99, p999, max }: Quantiles): string[] {
  return [p50, p90, p99, p999, max].map(span);
}

function span(ns: number): string {
  return formatDuration(BigInt(Math.round(ns)));
}
