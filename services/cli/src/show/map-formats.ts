// A mapping in the forms that other programs read, file by file, in constant memory: JSON (the dump), NDJSON and CSV
// with a line per file, and the table that `capinfos -TM` prints, as far as a map knows its columns.
import { stringify } from 'csv-stringify/sync';
import type { TimedFile } from '@capfleet/shared/dataset/dataset';
import type { FileMap, MappedFile } from '@capfleet/shared/dataset/file-map';
import { dumpText, type DumpContent } from '@capfleet/shared/dataset/gophercap-json';
import { formatInstant, SECOND } from '@capfleet/shared/time/nanos';

export const mapFormats = ['json', 'ndjson', 'csv', 'capinfos-tsv'] as const;
export type MapFormat = (typeof mapFormats)[number];

/** The mapping's text, piece by piece. */
export function formatMapping(format: MapFormat, set: DumpContent): AsyncGenerator<string> {
  switch (format) {
    case 'json':
      return dumpText(set);
    case 'ndjson':
      return ndjson(set);
    case 'csv':
      return csv(set);
    case 'capinfos-tsv':
      return capinfosTable(set);
  }
}

/** All files in the dump's order: those on the time line, then the others. */
async function* everyFile(set: DumpContent): AsyncGenerator<{ map: FileMap; timed: TimedFile | null }> {
  for await (const timed of set.files) yield { map: timed.map, timed };
  for (const others of [set.empty, set.failed, set.archives]) {
    for await (const map of others) yield { map, timed: null };
  }
}

async function* ndjson(set: DumpContent): AsyncGenerator<string> {
  for await (const { map, timed } of everyFile(set)) {
    const place = timed && {
      lane: timed.lane,
      beginning: formatInstant(timed.earliest),
      end: formatInstant(timed.latest),
    };
    yield `${JSON.stringify({ ...map, ...place })}\n`;
  }
}

type Cell = string | number;

const csvColumns: readonly (readonly [
  name: string,
  cell: (map: MappedFile, timed: TimedFile | null) => Cell,
])[] = [
  ['lane', (_map, timed) => timed?.lane ?? ''],
  ['beginning', (_map, timed) => (timed ? formatInstant(timed.earliest) : '')],
  ['end', (_map, timed) => (timed ? formatInstant(timed.latest) : '')],
  ['duration_seconds', (_map, timed) => (timed ? decimal(timed.latest - timed.earliest, 9) : '')],
  ['packets', (map) => map.packets],
  ['captured_bytes', (map) => map.capturedBytes],
  ['wire_bytes', (map) => map.wireBytes],
  ['max_captured', (map) => map.maxCaptured],
  ['max_wire', (map) => map.maxWire],
  ['out_of_order', (map) => map.outOfOrder],
  ['estimated', (map) => (map.estimated === true ? 'yes' : 'no')],
  ['format', (map) => map.format],
  ['compression', (map) => map.compression],
  ['resolution', (map) => map.resolution],
  ['snaplen', (map) => map.snaplen],
  ['link_types', (map) => map.linkTypes.join(' ')],
];

async function* csv(set: DumpContent): AsyncGenerator<string> {
  const row = (cells: readonly Cell[]): string =>
    // A name from outside must not become a formula in somebody's spreadsheet.
    stringify([[...cells]], { escape_formulas: true, record_delimiter: '\r\n' });
  yield row([
    'path',
    'name',
    'status',
    'file_size',
    'version',
    ...csvColumns.map(([name]) => name),
    'trouble',
  ]);
  for await (const { map, timed } of everyFile(set)) {
    const mapped = map.status === 'ok' || map.status === 'partial' ? map : null;
    const trouble = map.status === 'failed' ? map.error.message : (mapped?.warnings.at(-1)?.message ?? '');
    yield row([
      map.path,
      map.name,
      map.status,
      map.fileSize,
      map.version ?? '',
      ...csvColumns.map(([, cell]) => (mapped ? cell(mapped, timed) : '')),
      trouble,
    ]);
  }
}

/** Wireshark's short names of the link types that are met most. */
const encapsulations: ReadonlyMap<number, string> = new Map([
  [0, 'null'],
  [1, 'ether'],
  [9, 'ppp'],
  [101, 'rawip'],
  [105, 'ieee-802-11'],
  [113, 'linux-sll'],
  [127, 'ieee-802-11-radiotap'],
  [276, 'linux-sll2'],
]);

const precisions: Readonly<Record<string, readonly [name: string, digits: number]>> = {
  us: ['microseconds', 6],
  ns: ['nanoseconds', 9],
  '10^-3': ['milliseconds', 3],
};

const capinfosColumns: readonly (readonly [
  name: string,
  cell: (map: MappedFile, timed: TimedFile | null) => Cell,
])[] = [
  ['File name', ({ path }) => path.replace(/[\t\n\r]/g, ' ')],
  ['File type', ({ format, resolution }) => (format === 'pcap' && resolution === 'ns' ? 'nsecpcap' : format)],
  ['File encapsulation', ({ linkTypes: [first, ...more] }) => encapsulation(first, more.length > 0)],
  ['File time precision', (map) => precisionOf(map)[0]],
  ['Packet size limit', ({ snaplen }) => (snaplen === 0 ? '(not set)' : snaplen)],
  ['Number of packets', ({ packets }) => packets],
  ['File size (bytes)', ({ fileSize }) => fileSize],
  ['Data size (bytes)', ({ wireBytes }) => wireBytes],
  [
    'Capture duration (seconds)',
    (map, timed) => (timed ? decimal(spanOf(timed), precisionOf(map)[1]) : 'n/a'),
  ],
  ['Start time', (map, timed) => (timed ? capinfosTime(timed.earliest, precisionOf(map)[1]) : 'n/a')],
  ['End time', (map, timed) => (timed ? capinfosTime(timed.latest, precisionOf(map)[1]) : 'n/a')],
  ['Data byte rate (bytes/sec)', ({ wireBytes }, timed) => rate(wireBytes, timed)],
  ['Data bit rate (bits/sec)', ({ wireBytes }, timed) => rate(wireBytes * 8, timed)],
  ['Average packet size (bytes)', ({ wireBytes, packets }) => (wireBytes / Math.max(1, packets)).toFixed(2)],
  ['Average packet rate (packets/sec)', ({ packets }, timed) => rate(packets, timed)],
  ['Strict time order', ({ outOfOrder }) => (outOfOrder === 0 ? 'True' : 'False')],
];

async function* capinfosTable(set: DumpContent): AsyncGenerator<string> {
  const row = (cells: readonly Cell[]): string => `${cells.join('\t')}\n`;
  yield row(capinfosColumns.map(([name]) => name));
  for await (const { map, timed } of everyFile(set)) {
    // capinfos prints no line for what it cannot read either.
    if (map.status === 'ok' || map.status === 'partial')
      yield row(capinfosColumns.map(([, cell]) => cell(map, timed)));
  }
}

function encapsulation(linkType: number | undefined, several: boolean): string {
  if (several) return 'per-packet';
  return encapsulations.get(linkType ?? -1) ?? `linktype-${String(linkType ?? 'unknown')}`;
}

function precisionOf({ resolution }: MappedFile): readonly [name: string, digits: number] {
  return precisions[resolution] ?? ['nanoseconds', 9];
}

function spanOf({ earliest, latest }: TimedFile): bigint {
  return latest - earliest;
}

function capinfosTime(instant: bigint, digits: number): string {
  return formatInstant(instant)
    .replace('T', ' ')
    .slice(0, 20 + digits);
}

function rate(count: number, timed: TimedFile | null): string {
  const seconds = timed ? Number(spanOf(timed)) / 1e9 : 0;
  return seconds > 0 ? (count / seconds).toFixed(2) : '0.00';
}

/** Nanoseconds as seconds with so many digits. */
function decimal(span: bigint, digits: number): string {
  const fraction = String(span % SECOND).padStart(9, '0');
  return `${String(span / SECOND)}.${fraction.slice(0, digits)}`;
}
