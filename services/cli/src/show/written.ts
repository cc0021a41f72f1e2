// What came of writing a replay to a file, for people and for programs.
import { formatInstant } from '@capfleet/shared/time/nanos';
import type { WrittenReplay } from '../write-replay.ts';
import { formatBytes, formatCount, printable } from './text.ts';

export function showWritten({ path, packets, bytes, span, counts }: WrittenReplay): string {
  const lines = [`${formatCount(packets, 'packet')} (${formatBytes(bytes)}) written to ${printable(path)}\n`];
  if (span) lines.push(`due from ${formatInstant(span.first)} to ${formatInstant(span.last)}\n`);
  for (const [cause, count] of Object.entries(counts.refused)) {
    if (count > 0) lines.push(`  ${formatCount(count, 'packet')} left out: ${cause}\n`);
  }
  if (counts.truncated > 0) lines.push(`  ${formatCount(counts.truncated, 'frame')} cut off to fit\n`);
  if (counts.segmented > 0)
    lines.push(
      `  ${formatCount(counts.segmented, 'frame')} split into ${formatCount(counts.segments, 'segment')}\n`,
    );
  if (counts.firstOversize) {
    const { path: source, bytes: size, limit } = counts.firstOversize;
    lines.push(
      `  the first too large frame has ${formatCount(size, 'byte')} where ${formatCount(limit)} fit, in ${printable(source)}\n`,
    );
  }
  if (counts.reordered > 0) lines.push(`  ${formatCount(counts.reordered, 'packet')} put in order\n`);
  if (counts.backwards > 0) lines.push(`  ${formatCount(counts.backwards, 'stamp')} ran backwards\n`);
  return lines.join('');
}

/** Due times as RFC 3339. */
export function writtenJson({ path, packets, bytes, span, counts, errors }: WrittenReplay): string {
  const planned = { ...counts, shortened: String(counts.shortened), errors };
  const [first, last] = span ? [formatInstant(span.first), formatInstant(span.last)] : [null, null];
  return `${JSON.stringify({ version: 1, path, packets, bytes, first, last, planned }, null, 2)}\n`;
}
