// Of a sensor's report for people: how it was paced, when packets left by the kernel's word, what cost accuracy.
import type { PlayResult, SensorReport } from '@capfleet/shared/contract/report';
import { formatDuration } from '@capfleet/shared/time/nanos';
import { formatCount, printable } from './text.ts';

/** Lines without the sensor's name in front; what is as usual is not mentioned. */
export function pacingLines({ result }: SensorReport): string[] {
  if (!result) return [];
  return [
    ...departureLine(result),
    ...pauseLine(result),
    ...foreignLine(result),
    ...result.warnings.map(
      ({ message, advice }) => `warning: ${printable(message)}\n      ${printable(advice)}`,
    ),
    ...wayLine(result),
  ];
}

function span(nanos: string): string {
  return formatDuration(BigInt(nanos));
}

function departureLine({ departures }: PlayResult): string[] {
  if (!departures) return [];
  const { asked, taken, lateness } = departures;
  if (!lateness) {
    return asked === 0
      ? ['no packet was stamped: this link tells no departures, or nothing was sent']
      : [`no transmit stamp arrived for ${formatCount(asked, 'packet')}: the driver gives none`];
  }
  const { p50, p90, p99, max } = lateness;
  return [
    `left, by ${formatCount(taken, 'transmit stamp')} of ${formatCount(asked)} asked for: p50 ${span(p50)}, p90 ${span(p90)}, p99 ${span(p99)}, max ${span(max)} after due`,
  ];
}

function pauseLine({ pauses: { count, total } }: PlayResult): string[] {
  if (count === 0) return [];
  return [`${formatCount(count, 'pause')}; what came after was due ${span(total)} later in all`];
}

function foreignLine({ interfaceCounters, accounts }: PlayResult): string[] {
  const others = (interfaceCounters?.packets ?? 0) - accounts.sent;
  if (others <= 0) return [];
  return [
    `${formatCount(others, 'packet')} left the interface meanwhile that ${others === 1 ? 'is' : 'are'} not of this run`,
  ];
}

function wayLine({ pacing, warnings }: PlayResult): string[] {
  const { spin, processor, realtime, margin } = pacing;
  if (spin === 'auto' && processor === null && warnings.length === 0) return [];
  const where = processor === null ? 'on any processor' : `on processor ${String(processor)}`;
  const scheduling = realtime ? 'real-time' : 'in the ordinary class';
  return [`paced ${scheduling}, ${where}, spin ${spin} (${span(margin)})`];
}
