/**
 * One pcap file that is being written, gzip-compressed or not, packet after packet with bounded memory. It keeps
 * the account of what went in, and gives it back when the file is closed. The same packets give the same bytes:
 * the gzip header carries no time and the cuts between writes are fixed.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import {
  PCAP_RECORD_HEADER_LENGTH,
  pcapHeader,
  putPcapRecord,
  type PcapHeader,
  type PcapRecord,
} from './pcap-writer.ts';

export interface ClosedFile {
  packets: number;
  capturedBytes: number;
  wireBytes: number;
  rawSize: number;
  size: number;
  sha256: string;
  rawSha256: string;
}

export interface CaptureFile {
  /** Uncompressed bytes so far, the file header included. */
  rawSize(): number;
  /** Resolves when the writer is ready for more; callers await it before the next packet. */
  add(record: PcapRecord): Promise<void> | undefined;
  close(): Promise<ClosedFile>;
}

const BLOCK = 256 * 1024;

export function openCaptureFile(path: string, header: PcapHeader, gzip: boolean): CaptureFile {
  const rawHash = createHash('sha256');
  const hash = createHash('sha256');
  let size = 0;
  const head: Transform = gzip ? createGzip({ level: 6 }) : new PassThrough();
  const finished = pipeline(
    head,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(path),
  );
  // The failure is reported where the caller waits: in `add` or `close`.
  finished.catch(() => undefined);

  let block = Buffer.allocUnsafe(BLOCK);
  let used = 0;
  let rawSize = 0;
  let packets = 0;
  let capturedBytes = 0;
  let wireBytes = 0;

  const flush = (): Promise<void> | undefined => {
    if (used === 0) return undefined;
    const bytes = block.subarray(0, used);
    rawHash.update(bytes);
    block = Buffer.allocUnsafe(BLOCK);
    used = 0;
    if (head.write(bytes)) return undefined;
    const drained = new Promise<void>((resolve) => head.once('drain', resolve));
    return Promise.race([drained, finished]);
  };

  const start = pcapHeader(header);
  block.set(start);
  used = rawSize = start.length;

  return {
    rawSize: () => rawSize,
    add(record) {
      const length = PCAP_RECORD_HEADER_LENGTH + record.data.length;
      const waiting = used + length > BLOCK ? flush() : undefined;
      if (length > BLOCK) throw new RangeError(`a packet of ${record.data.length} bytes is too large`);
      used = putPcapRecord(block, used, record, header.byteOrder);
      rawSize += length;
      packets++;
      capturedBytes += record.data.length;
      wireBytes += record.wireLength ?? record.data.length;
      return waiting;
    },
    async close() {
      await flush();
      head.end();
      await finished;
      const rawSha256 = rawHash.digest('hex');
      return { packets, capturedBytes, wireBytes, rawSize, size, sha256: hash.digest('hex'), rawSha256 };
    },
  };
}
