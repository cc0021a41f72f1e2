// The mapping as JSON: GopherCap's fields with their names and types, beside them what only Capfleet knows (which
// GopherCap's reader passes over). Also reads mappings that GopherCap wrote, whose quirks are undone here: its
// packet count leaves out the first packet, and a one-packet file has the zero time as its end.
// Each file is one line, so that a mapping of any size is written and read in constant memory; what comes in
// another layout (GopherCap's own, or one that went through a formatter) is read whole.
import { z } from 'zod';
import { Failure } from '../errors/failure.ts';
import { formatGoDuration, formatInstant, parseInstant } from '../time/nanos.ts';
import { buildDataSet, type DataSet, type TimedFile, type Totals } from './dataset.ts';
import {
  archiveSchema,
  failedFileSchema,
  fileMapSchema,
  mappedFileSchema,
  type FileMap,
  type MappedFile,
} from './file-map.ts';

/** Grows when a reader of the old form could misread the new one. */
export const DUMP_VERSION = 1;

type Several<T> = Iterable<T> | AsyncIterable<T>;

/** What a dump is made of; a data set, or one whose maps lie elsewhere and are brought in one by one. */
export interface DumpContent {
  readonly span: DataSet['span'];
  readonly lanes: number;
  readonly totals: Totals;
  /** By begin, end, and path. */
  readonly files: Several<TimedFile>;
  /** By path, as those below. */
  readonly empty: Several<FileMap>;
  readonly failed: Several<FileMap>;
  readonly archives: Several<FileMap>;
}

/** The dump's text, piece by piece; the same set gives the same bytes. */
export async function* dumpText(content: DumpContent): AsyncGenerator<string> {
  const { span, totals, lanes } = content;
  const origin = span?.earliest ?? 0n;
  const ends = span && { beginning: formatInstant(span.earliest), end: formatInstant(span.latest) };
  yield `{${ends ? `${inner(ends)},` : ''}\n`;
  yield* list('files', content.files, (file) => json(dumpFile(file, origin)));
  const sums = {
    version: DUMP_VERSION,
    packets: totals.packets,
    captured_bytes: totals.capturedBytes,
    wire_bytes: totals.wireBytes,
    lanes,
  };
  yield `,\n"capfleet":{${inner(sums)},\n`;
  yield* list('empty', content.empty, json);
  yield ',\n';
  yield* list('failed', content.failed, json);
  yield ',\n';
  yield* list('archives', content.archives, json);
  yield '}}\n';
}

async function* list<T>(name: string, items: Several<T>, line: (item: T) => string): AsyncGenerator<string> {
  yield `"${name}":[`;
  let comma = '\n';
  for await (const item of items) {
    yield comma + line(item);
    comma = ',\n';
  }
  yield comma === '\n' ? ']' : '\n]';
}

/** The members of an object without its braces. */
function inner(value: object): string {
  return json(value).slice(1, -1);
}

function json(value: object): string {
  return JSON.stringify(value, bigintAsInteger);
}

/** GopherCap reads durations as 64-bit integers; they are written as such, beyond 2^53 too. */
function bigintAsInteger(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? raw.rawJSON(String(value)) : value;
}

/** JSON.rawJSON is in Node since 21; TypeScript's library does not list it yet. */
const raw = JSON as typeof JSON & { rawJSON(text: string): unknown };

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
      archives: z.array(archiveSchema).default([]),
    })
    .optional(),
});

/** A line that is one file, in the layout of `dumpText`. */
const RECORD_START = '{"path":';

/** Takes a dump line by line, in constant memory where each file is a line. */
export class DumpReader {
  readonly #path: string;
  /** What is left of the document without the lines of the files. */
  readonly #rest: string[] = [];

  /** @param path names the dump in errors */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @returns the file of that line, or null where it is another one
   * @throws Failure `dump-invalid`
   */
  line(text: string): FileMap | null {
    if (!text.startsWith(RECORD_START)) {
      this.#rest.push(text);
      return null;
    }
    const value = parse(text.endsWith(',') ? text.slice(0, -1) : text, this.#path) as object;
    if ('status' in value) return check(fileMapSchema, value, this.#path);
    return this.#fileOf(check(gopherCapFile, value, this.#path));
  }

  /**
   * Call it behind the last line.
   * @returns the files that had no line of their own
   * @throws Failure `dump-invalid`
   */
  end(): FileMap[] {
    const dump = check(dumpSchema, parse(this.#rest.join('\n'), this.#path), this.#path);
    const { files, capfleet } = dump;
    if (capfleet && capfleet.version > DUMP_VERSION) {
      throw new Failure('dump-invalid', {
        path: this.#path,
        reason: `it has version ${String(capfleet.version)}, this program knows ${String(DUMP_VERSION)}`,
      });
    }
    const timed = (files ?? []).map((file) => this.#fileOf(file));
    return capfleet ? [...timed, ...capfleet.empty, ...capfleet.failed, ...capfleet.archives] : timed;
  }

  #fileOf(file: z.infer<typeof gopherCapFile>): MappedFile {
    return file.capfleet ?? fromGopherCap(file, this.#path);
  }
}

/**
 * @param path names the dump in errors
 * @throws Failure `dump-invalid`
 */
export function readDump(text: string, path: string): DataSet {
  const reader = new DumpReader(path);
  const maps: FileMap[] = [];
  for (const line of text.split('\n')) {
    const map = reader.line(line);
    if (map) maps.push(map);
  }
  return buildDataSet([...maps, ...reader.end()]);
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Failure('dump-invalid', { path, reason: 'it is no JSON' }, { cause: error });
  }
}

function check<T extends z.ZodType>(schema: T, value: unknown, path: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
  throw new Failure('dump-invalid', { path, reason: `${place}${issue?.message ?? 'wrong shape'}` });
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
