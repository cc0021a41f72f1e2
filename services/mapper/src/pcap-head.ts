// The head of an uncompressed classic pcap, for those who then read the file from other places than its start.
import { fromBytes, readFully } from '@capfleet/shared/capture/byte-reader';
import {
  FILE_HEADER_BYTES,
  openClassicPcap,
  pcapMagic,
  RECORD_HEADER_BYTES,
  type PcapMagic,
} from '@capfleet/shared/capture/classic-pcap';
import { maxCaptured, minCaptured } from '@capfleet/shared/capture/packet-bounds';
import type { CaptureInfo } from '@capfleet/shared/capture/packet-reader';
import type { RecordRules, RecordSigns } from '@capfleet/shared/capture/record-chain';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { LONGEST_FILE_SECONDS } from './estimate.ts';

/** The file header, and the header of the first record. */
const HEAD_BYTES = FILE_HEADER_BYTES + RECORD_HEADER_BYTES;
/** Packets may have changed places, and more so the captures that were merged into one. */
const DAY_SECONDS = 86_400;

export interface PcapHead {
  readonly header: Buffer;
  readonly magic: PcapMagic;
  readonly info: CaptureInfo;
  readonly rules: RecordRules;
  readonly signs: RecordSigns;
}

/** @returns null where the file is none, is a variant, or holds no record */
export async function readPcapHead(source: Source, file: SourceFile): Promise<PcapHead | null> {
  return parsePcapHead(await readStretchBytes(source, file, 0, HEAD_BYTES), file.path);
}

/** @param bytes the file's first ones */
export function parsePcapHead(bytes: Buffer, path: string): PcapHead | null {
  const magic = pcapMagic(bytes);
  if (!magic || bytes.length < HEAD_BYTES) return null;
  const header = bytes.subarray(0, FILE_HEADER_BYTES);
  const info = infoOf(header, magic, path);
  const linkType = info?.linkTypes[0] ?? 0;
  if (!info || !isPlain(header, magic) || minCaptured(linkType) > 0) return null;
  const { littleEndian } = magic;
  const seconds = littleEndian
    ? bytes.readUInt32LE(FILE_HEADER_BYTES)
    : bytes.readUInt32BE(FILE_HEADER_BYTES);
  return {
    header,
    magic,
    info,
    rules: { littleEndian, maxCaptured: maxCaptured(linkType) },
    signs: {
      fractionLimit: magic.nanosecond ? 1e9 : 1e6,
      fromSeconds: seconds - DAY_SECONDS,
      toSeconds: seconds + LONGEST_FILE_SECONDS,
    },
  };
}

/** A variant's records cannot be told from bytes that only look like them by the rules of this module's users. */
function isPlain(header: Buffer, { littleEndian, recordHeaderBytes, gapBytes }: PcapMagic): boolean {
  const minor = littleEndian ? header.readUInt16LE(6) : header.readUInt16BE(6);
  return recordHeaderBytes === RECORD_HEADER_BYTES && gapBytes === 0 && minor > 3;
}

/** Bytes of a file from an offset on; fewer where the file ends before. */
export async function readStretchBytes(
  source: Source,
  file: SourceFile,
  from: number,
  length: number,
): Promise<Buffer> {
  const reader = await source.open(file, { from, length });
  try {
    const bytes = Buffer.allocUnsafeSlow(length);
    return bytes.subarray(0, await readFully(reader, bytes));
  } finally {
    await reader.close();
  }
}

function infoOf(header: Buffer, magic: PcapMagic, path: string): CaptureInfo | null {
  try {
    return openClassicPcap(header, magic, fromBytes(Buffer.alloc(0)), {
      path,
      compression: 'none',
      largestWindow: 0,
    }).info;
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'capture-version') return null;
    throw thrown;
  }
}
