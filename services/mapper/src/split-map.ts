// Maps one uncompressed classic pcap in parts, by several jobs, and joins what they found into the map that reading it
// from start to end would give. Where a part's first record begins is a guess, and a guess is used only where the
// records before it, proven from the file's start on, end right there; else that stretch is read again. So a wrong
// guess, or a part that is missing, costs time and never truth.
import {
  FILE_HEADER_BYTES,
  openClassicPcap,
  RECORD_HEADER_BYTES,
} from '@capfleet/shared/capture/classic-pcap';
import { MAX_CAPTURED_BYTES } from '@capfleet/shared/capture/packet-bounds';
import { LARGE_WINDOW_BYTES } from '@capfleet/shared/capture/window';
import { guessRecord } from '@capfleet/shared/capture/record-chain';
import { WarningLog } from '@capfleet/shared/capture/warning';
import type { Part, PartMap } from '@capfleet/shared/contract/part-map';
import type { FileMap, MappedFile } from '@capfleet/shared/dataset/file-map';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { mapWhole, orFailed, type MapFileOptions } from './map-file.ts';
import { assertUnchanged, describeFile } from './mapped-file.ts';
import { readPcapHead, readStretchBytes, type PcapHead } from './pcap-head.ts';
import { Tally } from './tally.ts';

/** How far the chain of records goes on which a guess rests. */
const LOOK_AHEAD_BYTES = 64 * 1024;

/**
 * True for what can be mapped in parts: an uncompressed classic pcap that holds a record.
 * @throws Failure of the source
 */
export async function canSplit(source: Source, file: SourceFile): Promise<boolean> {
  return (await readPcapHead(source, file)) !== null;
}

/**
 * Tallies the records that begin in a part; reads over its end only to finish the last one.
 * @param file as it was listed
 * @throws Failure `file-changed` where it is not that file any more, and those of the source
 */
export async function mapPart(
  source: Source,
  file: SourceFile,
  part: Part,
  options: MapFileOptions = {},
): Promise<PartMap> {
  const head = await readPcapHead(source, file);
  const start = head && (await firstRecord(source, file, head, part));
  const map =
    head === null || start === null
      ? emptyPart(part.to)
      : await readRecords(source, file, head, start, part.to, options);
  await assertUnchanged(source, file);
  return map;
}

/**
 * Joins parts of a file, of any size and in any order; what they leave out or guessed wrongly is read here.
 * @param file as it was when the parts were mapped
 * @returns what `mapFile` gives for the file
 * @throws Failure where it is retryable; any other failure is the result's `error`
 */
export async function joinParts(
  source: Source,
  file: SourceFile,
  parts: readonly PartMap[],
  options: MapFileOptions = {},
): Promise<FileMap> {
  return orFailed(file, async () => {
    const head = await readPcapHead(source, file);
    // No longer what it was when it was split: the whole way tells what it is.
    return head ? join(source, file, head, parts, options) : mapWhole(source, file, options);
  });
}

async function join(
  source: Source,
  file: SourceFile,
  head: PcapHead,
  parts: readonly PartMap[],
  options: MapFileOptions,
): Promise<MappedFile> {
  const tally = new Tally();
  const warnings = new WarningLog();
  const guesses = parts.toSorted((a, b) => a.start - b.start);
  let at = FILE_HEADER_BYTES;
  let broken = false;
  let next = 0;
  while (at < file.size && !broken) {
    while ((guesses[next]?.start ?? Infinity) < at) next += 1;
    const guess = guesses[next];
    let proven: PartMap;
    if (guess?.start === at) {
      proven = guess;
      next += 1;
    } else {
      const to = Math.min(guess?.start ?? file.size, file.size);
      proven = await readRecords(source, file, head, at, to, options);
    }
    tally.append(proven.tally);
    warnings.addAll(proven.warnings);
    ({ end: at, broken } = proven);
  }
  await assertUnchanged(source, file);
  return describeFile(file, head.info, tally, warnings.list());
}

/** Where the part's first record begins: known in the file's first part, else a guess; null where none is seen. */
async function firstRecord(
  source: Source,
  file: SourceFile,
  { rules, signs }: PcapHead,
  { from, to }: Part,
): Promise<number | null> {
  if (from <= FILE_HEADER_BYTES) return FILE_HEADER_BYTES;
  const within = Math.min(to - from, RECORD_HEADER_BYTES + MAX_CAPTURED_BYTES);
  const bytes = await readStretchBytes(source, file, from, within + LOOK_AHEAD_BYTES);
  const window = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const offset = guessRecord(window, rules, signs, within);
  return offset === null ? null : from + offset;
}

/** Tallies the records from the one at `from` up to the first that begins at or behind `to`. */
async function readRecords(
  source: Source,
  file: SourceFile,
  { header, magic, info, rules }: PcapHead,
  from: number,
  to: number,
  options: MapFileOptions,
): Promise<PartMap> {
  if (from >= to) return emptyPart(from);
  const length = Math.min(file.size, to + RECORD_HEADER_BYTES + rules.maxCaptured) - from;
  const bytes = await source.open(file, { from, length });
  const reader = openClassicPcap(
    header,
    magic,
    bytes,
    { path: file.path, compression: info.compression, largestWindow: LARGE_WINDOW_BYTES },
    from,
  );
  try {
    const tally = new Tally();
    do {
      tally.takeBefore(to, reader);
      options.onProgress?.(reader.consumed);
      options.signal?.throwIfAborted();
    } while (reader.nextOffset < to && (await reader.fill()));
    const end = reader.nextOffset;
    return { start: from, end, broken: end < to, tally: tally.toRecord(), warnings: reader.warnings() };
  } finally {
    await reader.close();
  }
}

function emptyPart(at: number): PartMap {
  return { start: at, end: at, broken: false, tally: new Tally().toRecord(), warnings: [] };
}
