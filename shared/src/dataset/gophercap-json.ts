// The mapping as JSON: GopherCap's fields with their names and types, beside them what only Capfleet knows (which
// GopherCap's reader passes over). Also reads mappings that GopherCap wrote, whose quirks are undone here: its
// packet count leaves out the first packet, and a one-packet file has the zero time as its end.
import { z } from 'zod';
import { Failure } from '../errors/failure.ts';
import { formatGoDuration, formatInstant, parseInstant } from '../time/nanos.ts';
import { buildDataSet, totals, type DataSet, type TimedFile } from './dataset.ts';
import { failedFileSchema, mappedFileSchema, type FileMap, type MappedFile } from './file-map.ts';

/** Grows when a reader of the old form could misread the new one. */
export const DUMP_VERSION = 1;

/** The dump as text: files by begin, two spaces deep, a newline at the end; the same set gives the same bytes. */
export function writeDump(set: DataSet): string {
  const sum = totals(set);
  const origin = set.span?.earliest ?? 0n;
  const document = {
    ...(set.span && { beginning: formatInstant(set.span.earliest), end: formatInstant(set.span.latest) }),
    files: set.files.map((file) => dumpFile(file, origin)),
    capfleet: {
      version: DUMP_VERSION,
      packets: sum.packets,
      captured_bytes: sum.capturedBytes,
      wire_bytes: sum.wireBytes,
      lanes: Array.from({ length: set.lanes }, (_, lane) =>
        set.files.filter((file) => file.lane === lane).map((file) => file.map.name),
      ),
      empty: set.empty,
      failed: set.failed,
    },
  };
  return `${JSON.stringify(document, bigintAsInteger, 2)}\n`;
}

/** GopherCap reads durations as 64-bit integers; they are written as such, beyond 2^53 too. */
function bigintAsInteger(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? json.rawJSON(String(value)) : value;
}

/** JSON.rawJSON is in Node since 21; TypeScript's library does not list it yet. */
const json = JSON as typeof JSON & { rawJSON(text: string): unknown };

function dumpFile(file: TimedFile, origin: bigint): object {
  const { map } = file;
  const duration = file.latest - file.earliest;
  const delay = file.earliest - origin;
  return {
    path: map.path,
    root: map.path.endsWith(`/${map.name}`) ? map.path.slice(0, -map.name.length - 1) : '',
    snaplen: map.snaplen,
    packets: map.packets,
    size: map.capturedBytes,
    max_packet_size: map.maxCaptured,
    out_of_order: map.outOfOrder,
    beginning: formatInstant(file.earliest),
    end: formatInstant(file.latest),
    pps: duration > 0n ? map.packets / (Number(duration) / 1e9) : 0,
    duration,
    duration_human: formatGoDuration(duration),
    delay,
    delay_human: formatGoDuration(delay),
    lane: file.lane,
    capfleet: map,
  };
}

const gopherCapFile = z.looseObject({
  path: z.string().min(1),
  root: z.string().default(''),
  snaplen: z.int().nonnegative().default(0),
  packets: z.int().nonnegative(),
  size: z.int().nonnegative(),
  max_packet_size: z.int().nonnegative().default(0),
  out_of_order: z.int().nonnegative().default(0),
  beginning: z.string(),
  end: z.string(),
  capfleet: mappedFileSchema.optional(),
});

const dumpSchema = z.looseObject({
  files: z.array(gopherCapFile).nullable(),
  capfleet: z
    .looseObject({
      version: z.int(),
      empty: z.array(mappedFileSchema).default([]),
      failed: z.array(failedFileSchema).default([]),
    })
    .optional(),
});

/**
 * @param path names the dump in errors
 * @throws Failure `dump-invalid`
 */
export function readDump(text: string, path: string): DataSet {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Failure('dump-invalid', { path, reason: 'it is no JSON' }, { cause: error });
  }
  const parsed = dumpSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
    throw new Failure('dump-invalid', { path, reason: `${place}${issue?.message ?? 'wrong shape'}` });
  }
  const dump = parsed.data;
  if (dump.capfleet && dump.capfleet.version > DUMP_VERSION) {
    throw new Failure('dump-invalid', {
      path,
      reason: `it has version ${String(dump.capfleet.version)}, this program knows ${String(DUMP_VERSION)}`,
    });
  }
  const maps: FileMap[] = (dump.files ?? []).map((file) => file.capfleet ?? fromGopherCap(file, path));
  return buildDataSet([...maps, ...(dump.capfleet?.empty ?? []), ...(dump.capfleet?.failed ?? [])]);
}

/** What GopherCap does not record is 0 or empty; the null of `modified` says so, and a replay does not rely on it. */
function fromGopherCap(file: z.infer<typeof gopherCapFile>, dump: string): MappedFile {
  const first = parseInstant(file.beginning);
  if (first === null) {
    throw new Failure('dump-invalid', { path: dump, reason: `${file.path} begins at ${file.beginning}` });
  }
  const end = file.end.startsWith('0001-01-01') ? first : parseInstant(file.end);
  if (end === null)
    throw new Failure('dump-invalid', { path: dump, reason: `${file.path} ends at ${file.end}` });
  return {
    path: file.path,
    name: nameBelow(file.root, file.path),
    fileSize: 0,
    version: null,
    status: 'ok',
    format: 'pcap',
    compression: 'none',
    byteOrder: 'little',
    resolution: 'us',
    snaplen: file.snaplen,
    linkTypes: [],
    packets: file.packets + 1,
    capturedBytes: file.size,
    wireBytes: file.size,
    maxCaptured: file.max_packet_size,
    maxWire: file.max_packet_size,
    outOfOrder: file.out_of_order,
    first: String(first),
    last: String(end),
    earliest: String(first < end ? first : end),
    latest: String(first < end ? end : first),
    warnings: [],
  };
}

function nameBelow(root: string, path: string): string {
  const folder = root.replace(/\/*$/, '/');
  const start = root !== '' && path.startsWith(folder) ? folder.length : path.lastIndexOf('/') + 1;
  return path.slice(start);
}
