// Counts, sizes, times and spans of time as a person reads them. Pure.

const counts = new Intl.NumberFormat('en-US');
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

export function count(value: number): string {
  return counts.format(value);
}

export function shortCount(value: number): string {
  return Math.abs(value) < 10_000 ? counts.format(Math.round(value * 100) / 100) : short.format(value);
}

export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

const sizes = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

export function bytes(value: number): string {
  let size = value;
  let unit = 0;
  while (size >= 999.5 && unit < sizes.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${unit === 0 ? String(size) : size.toPrecision(3)} ${sizes[unit] ?? ''}`;
}

const units: readonly (readonly [string, number])[] = [
  ['d', 8.64e13],
  ['h', 3.6e12],
  ['min', 6e10],
  ['s', 1e9],
  ['ms', 1e6],
  ['µs', 1e3],
  ['ns', 1],
];

export interface Unit {
  readonly name: string;
  readonly ns: number;
}

/** The largest unit of which there are at least two. */
export function unitFor(ns: number): Unit {
  const [name, size] = units.find(([, each]) => Math.abs(ns) >= 2 * each) ?? ['ns', 1];
  return { name, ns: size };
}

/** @param ns a number, or text as the API has it */
export function duration(ns: number | string | bigint): string {
  const value = Number(ns);
  if (value === 0) return '0 s';
  // What rounds up to a whole one is told as one.
  const [name, size] = units.find(([, each]) => Math.abs(value) >= 0.9995 * each) ?? ['ns', 1];
  return `${String(Number((value / size).toPrecision(3)))} ${name}`;
}

/** RFC 3339 as it is, without what nobody reads. */
export function instant(text: string | null): string {
  if (text === null) return '—';
  const [, date = text, time = '', fraction = ''] = /^(\S+)T(\d+:\d+:\d+)(\.\d{1,3})?/.exec(text) ?? [];
  return time === '' ? date : `${date} ${time}${fraction === '.000' ? '' : fraction} UTC`;
}

/** Between two instants in RFC 3339, ns; to a millisecond. */
export function between(from: string | null, to: string | null): number {
  return from === null || to === null ? 0 : (Date.parse(to) - Date.parse(from)) * 1e6;
}

export function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${String(Math.floor((part / whole) * 1000) / 10)} %`;
}

/** The number of an id that a person needs to tell it from others. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(0, 8) : id;
}
