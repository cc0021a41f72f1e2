/** What fuzzing begins with: small sound captures of every format in every codec, and real ones where they are there. */
import { readFileSync } from 'node:fs';
import { bzip2Stream } from '../bzip2-writer.ts';
import { gzipMember, lz4Frame, skippableFrame, xzStream, zstdFrame } from '../compress.ts';
import { IXIA_SOFTWARE, KUZNETZOV, pcapVariant } from '../pcap-variants.ts';
import { blocks, OTHER_BLOCKS, type ByteOrder } from '../pcapng-writer.ts';
import { realCaptures } from '../real-captures.ts';
import { captureOf, records } from '../read-capture.ts';

const LARGEST_REAL = 40_000;

export async function corpus(): Promise<Buffer[]> {
  const plain = [
    captureOf([60, 0, 300, 7]),
    captureOf([60, 61], { magic: 'ns', byteOrder: 'be' }),
    captureOf([60, 5000], { linkType: 189 }),
    pcapVariant(KUZNETZOV, 'le', records([60, 61])),
    pcapVariant(IXIA_SOFTWARE, 'be', records([60, 61])),
    pcapVariant({ minor: 3 }, 'le', records([60, 61])),
    pcapng('le'),
    pcapng('be'),
    Buffer.concat([pcapng('be'), pcapng('le')]),
  ];
  const packed: Buffer[] = [];
  for (const [index, bytes] of plain.entries()) {
    const half = bytes.length >> 1;
    const parts = index % 2 === 0 ? [bytes] : [bytes.subarray(0, half), bytes.subarray(half)];
    packed.push(
      Buffer.concat(parts.map(gzipMember)),
      Buffer.concat([skippableFrame(Buffer.alloc(20)), ...parts.map(zstdFrame)]),
      Buffer.concat(
        parts.map((part) => lz4Frame(part, { dependent: true, blockChecksums: index % 3 === 0 })),
      ),
      lz4Frame(bytes, { contentChecksum: false }),
      Buffer.concat(parts.map((part) => bzip2Stream(part, 1))),
    );
    if (index % 3 === 0) packed.push(await xzStream(bytes));
  }
  const real = realCaptures();
  const small = typeof real === 'string' ? [] : real.filter(({ size }) => size > 0 && size < LARGEST_REAL);
  return [...plain, ...packed, ...small.map(({ path }) => readFileSync(path))];
}

function pcapng(order: ByteOrder): Buffer {
  const b = blocks(order);
  const data = Buffer.alloc(33, 7);
  return Buffer.concat([
    b.section([{ code: 2, value: Buffer.from('made') }]),
    b.interface({ resolution: 9, offset: 60n, snaplen: 100 }),
    b.enhanced({
      stamp: 1_600_000_000_000_000_000n,
      data,
      options: [{ code: 1, value: Buffer.from('note') }],
    }),
    ...OTHER_BLOCKS.map((type) => b.block(type, Buffer.alloc(12))),
    b.interface({ linkType: 201, resolution: 0x85 }),
    b.simple(data),
    b.obsolete({ interface: 1, stamp: 99n, data }),
    b.enhanced({ interface: 1, stamp: 2n ** 63n, data }),
  ]);
}
