// Numbers and names as people read them.
import { escapeControls } from '@capfleet/shared/log/control-characters';

const grouped = new Intl.NumberFormat('en-US');

export function formatCount(count: number, unit?: string): string {
  const text = grouped.format(count);
  if (unit === undefined) return text;
  return `${text} ${unit}${count === 1 ? '' : 's'}`;
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** A text from outside (a file's name, a reason) as one line that no terminal obeys. */
export function printable(text: string): string {
  return escapeControls(text);
}

/** Rows as columns two spaces apart; a column of numbers (per `right`) is set right. */
export function formatTable(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return right.includes(column) ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
