// The quick map of a classic pcap. Nothing in the format tells from the end where the last record begins, so every
// offset is taken as a record that may be one by the reader's own rules. The true records are among those from which
// a chain leads to the file's end, and one of them begins within a longest record of the window's start: where all
// chains that begin there end in the same record, that one is the last, whatever the packets hold.
import { fromBytes } from '@capfleet/shared/capture/byte-reader';
import {
  FILE_HEADER_BYTES,
  openClassicPcap,
  RECORD_HEADER_BYTES,
} from '@capfleet/shared/capture/classic-pcap';
import { MAX_CAPTURED_BYTES } from '@capfleet/shared/capture/packet-bounds';
import {
  chainsToEnd,
  commonRecords,
  lastHeader,
  LIKELY_SIGNS,
  recordEnd,
  signsOfRecord,
  type RecordRules,
  type RecordSigns,
} from '@capfleet/shared/capture/record-chain';
import { breakingKinds } from '@capfleet/shared/capture/warning';
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { estimateFile, type Sample } from './estimate.ts';
import { parsePcapHead, readStretchBytes, type PcapHead } from './pcap-head.ts';
import { Tally } from './tally.ts';

/** Read at the end beside the longest record: a chain must hold for so long to be taken for one. */
const CHAIN_BYTES = 32 * 1024;
const ALL_SIGNS = 3;

/**
 * @param head the file's first bytes
 * @param trustSnaplen as in `QuickMapOptions`
 * @returns null where the file is none, or is to be read whole
 */
export async function quickPcap(
  source: Source,
  file: SourceFile,
  head: Buffer,
  trustSnaplen: boolean,
): Promise<MappedFile | null> {
  const pcap = parsePcapHead(head, file.path);
  // Link types whose records may be larger than the usual bound would need a window as large.
  if (!pcap || pcap.rules.maxCaptured > MAX_CAPTURED_BYTES) return null;
  const first = await sample(file, pcap, head.subarray(FILE_HEADER_BYTES), FILE_HEADER_BYTES);
  if (!first) return null;
  const { snaplen } = pcap.info;
  const believed = trustSnaplen && snaplen > 0 && first.tally.maxCaptured <= snaplen;
  const rules = believed ? { ...pcap.rules, maxCaptured: Math.min(snaplen, MAX_CAPTURED_BYTES) } : pcap.rules;
  const longest = RECORD_HEADER_BYTES + rules.maxCaptured;
  const from = file.size - longest - CHAIN_BYTES;
  if (from <= head.length) return null;
  const tail = await readStretchBytes(source, file, from, file.size - from);
  const lastRecords = surelyLast(tail, rules, pcap.signs, longest);
  if (lastRecords === null) return null;
  const last = await sample(file, pcap, tail.subarray(lastRecords), from + lastRecords);
  return last && estimateFile(file, pcap.info, file.size - FILE_HEADER_BYTES, first, last);
}

/** Where the last records begin, as many as are beyond doubt; null where that is not even one. */
function surelyLast(bytes: Buffer, rules: RecordRules, signs: RecordSigns, longest: number): number | null {
  const window = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const reaches = chainsToEnd(window, rules);
  const [first] = commonRecords(window, rules, reaches, longest);
  return first === undefined || isDoubtful(window, rules, signs, reaches) ? null : first;
}

/**
 * True where what looks like a record of this file stands beside the chains that reach its end: in a file that is cut
 * off, or goes on with something else, it would be true, and the chains would be inside of a packet.
 */
function isDoubtful(window: DataView, rules: RecordRules, signs: RecordSigns, reaches: Uint8Array): boolean {
  const headerFits = lastHeader(window);
  const chainsBegin = reaches.indexOf(1);
  for (let offset = 0; offset <= headerFits; offset += 1) {
    const end = recordEnd(window, offset, rules);
    if (reaches[offset] === 1 || end === Number.POSITIVE_INFINITY) continue;
    const isOver = end > headerFits;
    const needed = isOver && offset < chainsBegin ? LIKELY_SIGNS : ALL_SIGNS;
    if (signsOfRecord(window, offset, rules, signs) < needed) continue;
    // Packets hold much that looks like a record, but hardly two of them in a row.
    if (isOver || signsOfRecord(window, end, rules, signs) === ALL_SIGNS) return true;
  }
  return false;
}

/** The records in bytes that begin with one and may end within one; null where they are broken, or hold none. */
async function sample(
  { path }: SourceFile,
  { header, magic, info: { compression } }: PcapHead,
  bytes: Buffer,
  from: number,
): Promise<Sample | null> {
  const reader = openClassicPcap(
    header,
    magic,
    fromBytes(bytes),
    { path, compression, largestWindow: bytes.length },
    from,
  );
  const tally = new Tally();
  do tally.takeWindow(reader);
  while (await reader.fill());
  const warnings = reader.warnings().filter(({ kind }) => kind !== 'cut-off-record');
  if (tally.packets === 0 || warnings.some(({ kind }) => breakingKinds.has(kind))) return null;
  return { tally: tally.toRecord(), bytes: reader.nextOffset - from, warnings };
}
