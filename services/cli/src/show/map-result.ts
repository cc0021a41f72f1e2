// A mapping for people: what was found, how many capture threads wrote it and which file is whose, what went wrong.
import { totals, type DataSet, type TimedFile } from '@capfleet/shared/dataset/dataset';
import { formatDuration, formatInstant } from '@capfleet/shared/time/nanos';
import { formatBytes, formatCount, formatTable, printable } from './text.ts';

/** More files than this are not listed one by one; the dump has them all. */
const MOST_LISTED = 400;
const MOST_TROUBLED = 20;
const LINE = 100;

export function showMapResult(set: DataSet): string {
  const { packets, capturedBytes } = totals(set);
  const parts: string[] = [];
  if (set.span) {
    const { earliest, latest } = set.span;
    parts.push(
      `${formatCount(set.files.length, 'file')}, ${formatCount(packets, 'packet')}, ${formatBytes(capturedBytes)} captured\n`,
      `${formatInstant(earliest)} to ${formatInstant(latest)} (${formatDuration(latest - earliest)})\n`,
      `\n${formatCount(set.lanes, 'capture thread')} wrote this set:\n`,
      showLanes(set),
    );
  }
  return parts.join('') + showTrouble(set);
}

function showLanes(set: DataSet): string {
  const lanes: TimedFile[][] = Array.from({ length: set.lanes }, () => []);
  for (const file of set.files) lanes[file.lane]?.push(file);
  return lanes
    .map((files, lane) => {
      const packets = files.reduce((sum, { map }) => sum + map.packets, 0);
      const head = `  lane ${String(lane)}: ${formatCount(files.length, 'file')}, ${formatCount(packets, 'packet')}\n`;
      return head + (set.files.length > MOST_LISTED ? '' : wrap(files.map(({ map }) => printable(map.name))));
    })
    .join('');
}

function showTrouble(set: DataSet): string {
  const rows: string[][] = [];
  for (const file of set.failed) rows.push(['failed', file.name, file.error.message, file.error.hint]);
  for (const { map } of set.files) {
    if (map.status === 'partial') rows.push(['partial', map.name, map.warnings.at(-1)?.message ?? '', '']);
  }
  for (const file of set.empty) rows.push(['empty', file.name, file.warnings.at(-1)?.message ?? '', '']);
  if (rows.length === 0) return '';
  const shown = rows.slice(0, MOST_TROUBLED).map(([status = '', name = '', message = '', hint = '']) => {
    return [`  ${status}`, printable(name), printable(hint === '' ? message : `${message}; ${hint}`)];
  });
  const more =
    rows.length > shown.length ? `  … and ${formatCount(rows.length - shown.length)} more in the dump\n` : '';
  return `\n${formatTable(shown)}${more}`;
}

function wrap(names: readonly string[]): string {
  const lines: string[] = [];
  let line = '   ';
  for (const name of names) {
    if (line.length + name.length + 1 > LINE && line.trim() !== '') {
      lines.push(line);
      line = '   ';
    }
    line += ` ${name}`;
  }
  return [...lines, line].map((text) => `${text}\n`).join('');
}
