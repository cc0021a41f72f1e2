// Opens a capture by what is in it, never by its name: compression by magic first, then the capture format.
import { Failure } from '../errors/failure.ts';
import { prepend, readFully, type ByteReader } from './byte-reader.ts';
import { FILE_HEADER_BYTES, openClassicPcap, pcapMagic } from './classic-pcap.ts';
import { decompress, type Decompressed } from './decompress.ts';
import type { PacketReader } from './packet-reader.ts';
import { isPcapng, openPcapng } from './pcapng.ts';
import { LARGE_WINDOW_BYTES } from './window.ts';

/** Formats that are known and not read, so that the error can name them. */
const otherFormats: readonly (readonly [name: string, magic: string])[] = [
  ['gzip inside another compression', '1f8b'],
  ['zstd inside another compression', '28b52ffd'],
  ['lz4 inside another compression', '04224d18'],
  ['lz4 of the legacy format', '02214c18'],
  ['xz inside another compression', 'fd377a585a00'],
  ['bzip2 inside another compression', '425a68'],
  ['a Navtel capture', 'a12b3c4d'],
  ['a Navtel capture', '4d3c2ba1'],
  ['a snoop capture', '736e6f6f70'],
  ['a Network Monitor capture', '474d4255'],
  ['a Network Monitor capture', '52545353'],
  ['a NetXRay capture', '58435000'],
];

/**
 * @param bytes the file from its start; closed with the reader, and closed here where opening fails
 * @param largestWindow bytes that the reader may hold of a long capture, twice; for who opens many side by side
 * @throws Failure `capture-empty`, `capture-too-short`, `capture-unknown`, `capture-unsupported`,
 *   `capture-tarball`, `capture-version`, `capture-damaged`, `compression-damaged`
 */
export async function openCapture(
  bytes: ByteReader,
  path: string,
  largestWindow = LARGE_WINDOW_BYTES,
): Promise<PacketReader> {
  let opened = bytes;
  try {
    const decompressed = await decompress(bytes, path);
    opened = decompressed.bytes;
    return await openByMagic(decompressed, path, largestWindow);
  } catch (thrown) {
    await opened.close();
    throw thrown;
  }
}

async function openByMagic(
  { compression, bytes: plain }: Decompressed,
  path: string,
  largestWindow: number,
): Promise<PacketReader> {
  const file = { path, compression, largestWindow };
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  const headerLength = await readFully(plain, header);
  const start = header.subarray(0, headerLength);
  if (headerLength === 0 && compression === 'none') throw new Failure('capture-empty', { path });
  if (isPcapng(start)) return openPcapng(prepend(start, plain), file);
  const magic = pcapMagic(start);
  if (magic && headerLength === FILE_HEADER_BYTES) return openClassicPcap(header, magic, plain, file);
  const hex = start.toString('hex');
  const other = otherFormats.find(([, prefix]) => hex.startsWith(prefix));
  if (other) throw new Failure('capture-unsupported', { path, format: other[0] });
  if (magic || headerLength < 4) throw new Failure('capture-too-short', { path, size: headerLength });
  if (await isTar(start, plain)) throw new Failure('capture-tarball', { path });
  throw new Failure('capture-unknown', { path, magic: hex.slice(0, 8).replace(/(..)(?=.)/g, '$1 ') });
}

/** A tar archive has its magic behind the name and the numbers of its first entry. */
async function isTar(start: Buffer, rest: ByteReader): Promise<boolean> {
  const magicAt = 257;
  const head = Buffer.alloc(magicAt + 5);
  const length = await readFully(prepend(start, rest), head);
  return length === head.length && head.toString('latin1', magicAt) === 'ustar';
}
