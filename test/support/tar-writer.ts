/**
 * Makes tar archives in memory in every dialect (the seventh edition's, ustar, GNU, pax), and members that no archiver
 * would write: it writes what it is told. Formats: POSIX.1-2017 `pax`, and tar(5) of libarchive for GNU's.
 */
export type TarDialect = 'v7' | 'ustar' | 'gnu' | 'pax';

export const tarDialects: readonly TarDialect[] = ['v7', 'ustar', 'gnu', 'pax'];

export interface TarEntry {
  readonly name: string;
  readonly data?: Uint8Array;
  /** Seconds since the epoch, 1,600,000,000 when left out; a fraction only in pax. */
  readonly mtime?: number | string;
  /** Type flag, `0` when left out. */
  readonly type?: string;
  readonly linkName?: string;
  /** Claimed instead of the length of the data. */
  readonly size?: number;
  /** More records of a pax header. */
  readonly pax?: Readonly<Record<string, string>>;
}

export const TAR_BLOCK = 512;
const NAME_BYTES = 100;
const LARGEST_OCTAL = 0o77777777777;

/** A whole archive with its end mark. */
export function tarFile(entries: readonly TarEntry[], dialect: TarDialect = 'ustar'): Buffer {
  return Buffer.concat([...entries.map((entry) => tarMember(entry, dialect)), tarEnd()]);
}

export function tarEnd(): Buffer {
  return Buffer.alloc(2 * TAR_BLOCK);
}

/** One member: the records before its header, its header, its data, the padding. */
export function tarMember(entry: TarEntry, dialect: TarDialect): Buffer {
  const data = entry.data ?? Buffer.alloc(0);
  return Buffer.concat([tarHeaders(entry, dialect), padded(data)]);
}

/** What comes before a member's data. */
export function tarHeaders(entry: TarEntry, dialect: TarDialect): Buffer {
  const parts: Buffer[] = [];
  const long = Buffer.byteLength(entry.name) > NAME_BYTES;
  if (dialect === 'gnu' && long) {
    parts.push(tarExtension('L', Buffer.from(`${entry.name}\0`)));
  }
  if (dialect === 'gnu' && Buffer.byteLength(entry.linkName ?? '') > NAME_BYTES) {
    parts.push(tarExtension('K', Buffer.from(`${entry.linkName ?? ''}\0`)));
  }
  if (dialect === 'pax') {
    const size = sizeOf(entry);
    const records = {
      ...(long && { path: entry.name }),
      ...(size > LARGEST_OCTAL && { size: String(size) }),
      ...(entry.mtime !== undefined && { mtime: String(entry.mtime) }),
      ...entry.pax,
    };
    if (Object.keys(records).length > 0) parts.push(tarExtension('x', paxRecords(records)));
  }
  parts.push(tarHeader(entry, dialect));
  return Buffer.concat(parts);
}

/** A header of extension records (`x`, `g`, `L`, `K`), with the records. */
export function tarExtension(type: string, data: Uint8Array, size = data.length): Buffer {
  const name = type === 'x' || type === 'g' ? 'PaxHeaders/x' : '././@LongLink';
  const header = tarHeader({ name, type, size }, type === 'x' || type === 'g' ? 'pax' : 'gnu');
  return Buffer.concat([header, padded(data)]);
}

export function paxRecords(records: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`);
      let length = rest;
      while (length !== rest + String(length).length) length = rest + String(length).length;
      return Buffer.from(`${length} ${key}=${value}\n`);
    }),
  );
}

function tarHeader(entry: TarEntry, dialect: TarDialect): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  const { name, prefix } = splitName(entry.name, dialect);
  block.write(name, 0, NAME_BYTES);
  block.write('0000644\0', 100);
  block.write('0001750\0', 108);
  block.write('0001750\0', 116);
  putSize(block, sizeOf(entry), dialect);
  block.write(`${octal(Math.floor(Number(entry.mtime ?? 1_600_000_000)), 11)}\0`, 136);
  block.write(entry.type ?? (dialect === 'v7' ? '\0' : '0'), 156, 'latin1');
  block.write(entry.linkName ?? '', 157, NAME_BYTES);
  if (dialect === 'ustar' || dialect === 'pax') block.write('ustar\x0000', 257, 'latin1');
  if (dialect === 'gnu') block.write('ustar  \0', 257, 'latin1');
  if (prefix !== '') block.write(prefix, 345, 155);
  return withChecksum(block);
}

/** Puts the right checksum into a header that was changed. */
export function withChecksum(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of header.subarray(0, TAR_BLOCK)) sum += byte;
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

/** Names of up to 255 bytes are cut at a slash in ustar; in other dialects the field holds what fits. */
function splitName(name: string, dialect: TarDialect): { name: string; prefix: string } {
  if (Buffer.byteLength(name) <= NAME_BYTES || dialect !== 'ustar') return { name, prefix: '' };
  const at = name.indexOf('/', name.length - NAME_BYTES - 1);
  if (at === -1 || at > 155) throw new RangeError(`no name for ustar: ${name}`);
  return { name: name.slice(at + 1), prefix: name.slice(0, at) };
}

function putSize(block: Buffer, size: number, dialect: TarDialect): void {
  if (size <= LARGEST_OCTAL) {
    block.write(`${octal(size, 11)}\0`, 124);
  } else if (dialect === 'gnu') {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  } else if (dialect === 'pax') {
    block.write(`${octal(0, 11)}\0`, 124);
  } else {
    throw new RangeError(`no size for ${dialect}: ${size}`);
  }
}

function sizeOf({ size, data }: TarEntry): number {
  return size ?? data?.length ?? 0;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function padded(data: Uint8Array): Buffer {
  return Buffer.concat([data, Buffer.alloc(-data.length & (TAR_BLOCK - 1))]);
}
