// A run's report for people: the verdict first, then what each sensor did, then what does not hold.
import {
  refusalCauses,
  type ClockCourse,
  type PlayResult,
  type RunReport,
  type SensorReport,
} from '@capfleet/shared/contract/report';
import { formatDuration } from '@capfleet/shared/time/nanos';
import { pacingLines } from './pacing.ts';
import { showComparison } from './verification.ts';
import { formatBytes, formatCount, formatTable, printable } from './text.ts';

export function showReport(report: RunReport): string {
  return [headline(report), sensorTable(report), skewLine(report), farEnds(report), findings(report)]
    .filter((part) => part !== '')
    .join('\n');
}

function headline({ outcome, verdict, start, clock, totals }: RunReport): string {
  if (outcome === 'cancelled') return 'cancelled: nothing was sent\n';
  const when = `start ${start ?? '-'}${clock ? `, by ${clockText(clock)}` : ''}\n`;
  if (outcome === 'stopped' && totals.sent === 0)
    return `stopped: nothing was sent, so that there is nothing to judge\n${when}`;
  const holds = verdict.holds ? 'the verdict holds' : 'the verdict does not hold';
  const refused = totals.read - totals.sent;
  const lost = refused === 0 ? '' : `, ${formatCount(refused)} not sent`;
  return `${outcome}: ${formatCount(totals.sent)} of ${formatCount(totals.read, 'packet')} sent (${formatBytes(totals.sentBytes)})${lost}, ${holds}\n${when}`;
}

const clockNames = { redis: 'the Redis clock', system: 'the system clock' };

function clockText({ name, reason }: NonNullable<RunReport['clock']>): string {
  return `${clockNames[name]}: ${printable(reason)}`;
}

const columns = [
  'sensor',
  'interface',
  'read',
  'sent',
  'start error',
  'clock ±',
  'late p50',
  'p90',
  'p99',
  'p99.9',
  'max',
  'end drift',
];

function sensorTable({ sensors, outcome }: RunReport): string {
  if (outcome === 'cancelled') return '';
  const rows = sensors.map(sensorRow);
  return formatTable([columns, ...rows], [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
}

function sensorRow({ sensor, interface: name, clockBound, result }: SensorReport): string[] {
  if (!result) return [sensor, name, ...columns.slice(2).map(() => '-')];
  const { accounts, lateness } = result;
  const span = (value: string | null | undefined): string =>
    value == null ? '-' : formatDuration(BigInt(value));
  return [
    sensor,
    name,
    formatCount(accounts.read),
    formatCount(accounts.sent),
    span(result.startError),
    span(clockBound),
    span(lateness?.p50),
    span(lateness?.p90),
    span(lateness?.p99),
    span(lateness?.p999),
    span(lateness?.max),
    span(result.endDrift),
  ];
}

/** What clocks did during the play, where it is worth a word. */
function clockLines({ clockCourse, clock }: PlayResult): string[] {
  const { slewed, worstBound, referenceSet, wallSet, drift } = clockCourse;
  const lines: string[] = [];
  const set = (name: string, { count, total }: ClockCourse['wallSet']): void => {
    if (count === 0) return;
    const times = count === 1 ? 'once' : `${formatCount(count)} times`;
    lines.push(
      `${name} was set ${times} meanwhile, by ${formatDuration(BigInt(total))} in all; no packet followed it`,
    );
  };
  set('the reference clock', referenceSet);
  set('the wall clock of its host', wallSet);
  if (BigInt(slewed) !== 0n) {
    lines.push(
      `due times were moved by ${formatDuration(BigInt(slewed))} to keep with the reference clock, which runs ${(drift.ppb / 1000).toFixed(1)} ± ${(drift.bound / 1000).toFixed(1)} ppm fast; known to ±${formatDuration(BigInt(worstBound))} at worst (±${formatDuration(BigInt(clock.bound))} at the start)`,
    );
  }
  return lines;
}

function skewLine({ startSkew }: RunReport): string {
  if (!startSkew) return '';
  const bound = formatDuration(BigInt(startSkew.clockBound));
  return `sensors started within ${formatDuration(BigInt(startSkew.measured))} of one another, clocks known to ±${bound}\n`;
}

function farEnds({ farEnds = [] }: RunReport): string {
  return farEnds
    .map(({ sensor, interface: name, capture, comparison, paused, clockBound, reasons }) => {
      const stamps = capture.resolution === 'us' ? ['stamps of 1 µs: errors below that are its own'] : [];
      const clock = clockBound === null ? [] : [`lateness known to ±${formatDuration(BigInt(clockBound))}`];
      const pause =
        paused === '0'
          ? []
          : [
              `paused for ${formatDuration(BigInt(paused))}, which the plan does not know: all times contain it`,
            ];
      return `far end of ${sensor}, ${name}: ${showComparison(comparison, [...stamps, ...pause, ...clock, ...reasons])}`;
    })
    .join('\n');
}

function findings({ verdict, sensors, error: refused }: RunReport): string {
  const lines = verdict.findings
    .filter(({ holds }) => !holds)
    // A sensor's own line says the same, and what to do.
    .filter(
      ({ check, text }) =>
        check !== 'started' || !sensors.some(({ error }) => error !== null && text.endsWith(error.message)),
    )
    .map(({ sensor, check, text }) => {
      // Why a run was cancelled needs no name of a check, which would look like a sensor's.
      const about = check === 'started' ? '' : `${sensor === null ? '' : `${sensor}: `}${check}: `;
      return `  ${about}${printable(text)}\n`;
    });
  if (refused) lines.push(`      ${printable(refused.hint)}\n`);
  for (const report of sensors) {
    const { sensor, result, error } = report;
    if (error) lines.push(`  ${sensor}: ${printable(error.message)}\n      ${printable(error.hint)}\n`);
    if (!result) continue;
    for (const line of clockLines(result)) lines.push(`  ${sensor}: ${line}\n`);
    const refused = refusalCauses.filter((cause) => result.accounts.refused[cause] > 0);
    for (const cause of refused)
      lines.push(
        `  ${sensor}: ${formatCount(result.accounts.refused[cause], 'packet')} not sent: ${cause}\n`,
      );
    const { accounts, elsewhere, firstOversize } = result;
    if (elsewhere > 0) lines.push(`  ${sensor}: ${formatCount(elsewhere, 'packet')} left to other sensors\n`);
    if (accounts.truncated > 0)
      lines.push(`  ${sensor}: ${formatCount(accounts.truncated, 'frame')} cut off to fit the interface\n`);
    if (accounts.segmented > 0)
      lines.push(
        `  ${sensor}: ${formatCount(accounts.segmented, 'frame')} split into ${formatCount(accounts.segments, 'segment')}\n`,
      );
    if (firstOversize) {
      const { path, bytes, limit } = firstOversize;
      lines.push(
        `  ${sensor}: the first too large frame has ${formatCount(bytes, 'byte')} where ${formatCount(limit)} fit, in ${printable(path)}\n`,
      );
    }
    if (accounts.reordered > 0)
      lines.push(`  ${sensor}: ${formatCount(accounts.reordered, 'packet')} put in order\n`);
    if (result.accounts.backwards > 0) {
      lines.push(
        `  ${sensor}: ${formatCount(result.accounts.backwards, 'stamp')} ran backwards; sent at once\n`,
      );
    }
    lines.push(...pacingLines(report).map((line) => `  ${sensor}: ${line}\n`));
  }
  return [...new Set(lines)].join('');
}
