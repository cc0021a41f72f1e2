// A mapping for people: what was found, how many capture threads wrote it and which file is whose, what went wrong.
import { formatDuration, formatInstant } from '@capfleet/shared/time/nanos';
import type { MapView } from './map-view.ts';
import { formatBytes, formatCount, printable } from './text.ts';

const LINE = 80;

export function showMapResult(view: MapView): string {
  const { packets, capturedBytes, files } = view.totals;
  const parts: string[] = [];
  if (view.span) {
    const { earliest, latest } = view.span;
    const about = view.estimated ? 'about ' : '';
    const from = view.archives > 0 ? ` (from ${formatCount(view.archives, 'tarball')})` : '';
    parts.push(
      `${formatCount(files, 'file')}${from}, ${about}${formatCount(packets, 'packet')}, ${about}${formatBytes(capturedBytes)} captured\n`,
      view.reused > 0
        ? `${formatCount(view.reused, 'file')} unchanged since the last mapping, not read again\n`
        : '',
      `${formatInstant(earliest)} to ${formatInstant(latest)} (${formatDuration(latest - earliest)})\n`,
      `\n${formatCount(view.lanes.length, 'capture thread')} wrote this set:\n`,
      ...view.lanes.map(
        (lane, number) =>
          `  lane ${String(number)}: ${formatCount(lane.files, 'file')}, ${formatCount(lane.packets, 'packet')}\n` +
          (lane.names ? wrap(lane.names.map(printable)) : ''),
      ),
    );
  }
  return parts.join('') + showTrouble(view);
}

function showTrouble({ troubled, troubledInAll }: MapView): string {
  if (troubled.length === 0) return '';
  // Names and reasons are long: side by side they would not fit a terminal.
  const shown = troubled.map(
    ({ status, name, message, hint }) =>
      `  ${status.padEnd(7)}  ${printable(name)}\n           ${printable(hint === '' ? message : `${message}; ${hint}`)}\n`,
  );
  const left = troubledInAll - troubled.length;
  return `\n${shown.join('')}${left > 0 ? `  … and ${formatCount(left)} more in the dump\n` : ''}`;
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
