// The map of a file of which only both ends were read: its instants are those found there, its counts are what was
// found there, scaled to the whole file. If the mean size of a packet over the file is f times that at its ends, the
// number of packets is estimated f times too high; the largest and smallest packet of the file bound f.
import type { CaptureInfo } from '@capfleet/shared/capture/packet-reader';
import { WarningLog, type CaptureWarning } from '@capfleet/shared/capture/warning';
import type { TallyRecord } from '@capfleet/shared/contract/part-map';
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import { SECOND } from '@capfleet/shared/time/nanos';
import type { SourceFile } from '@capfleet/shared/source/source';
import { describeFile } from './mapped-file.ts';
import { Tally } from './tally.ts';

/** A file whose last packet is longer behind its first one is to be read whole: it may not be what it looks like. */
export const LONGEST_FILE_SECONDS = 366 * 86_400;

/** Packets at one end of a file. */
export interface Sample {
  readonly tally: TallyRecord;
  /** Bytes of the file that they take. */
  readonly bytes: number;
  readonly warnings: readonly CaptureWarning[];
}

/**
 * @param bytes what the packets of the whole file take
 * @returns null where the instants of the ends do not fit together: the file is not in order of time, or worse
 */
export function estimateFile(
  file: SourceFile,
  info: CaptureInfo,
  bytes: number,
  head: Sample,
  tail: Sample,
): MappedFile | null {
  const { first } = head.tally;
  const { last } = tail.tally;
  if (first === null || last === null) return null;
  const span = BigInt(last) - BigInt(first);
  if (span < 0n || span > BigInt(LONGEST_FILE_SECONDS) * SECOND) return null;
  const tally = new Tally();
  tally.append(head.tally);
  tally.append(tail.tally);
  const warnings = new WarningLog();
  warnings.addAll(head.warnings);
  warnings.addAll(tail.warnings);
  const scale = bytes / (head.bytes + tail.bytes);
  const scaled = (count: number): number => Math.min(Math.round(count * scale), Number.MAX_SAFE_INTEGER);
  return {
    ...describeFile(file, info, tally, warnings.list()),
    estimated: true,
    packets: scaled(tally.packets),
    capturedBytes: scaled(tally.capturedBytes),
    wireBytes: scaled(tally.wireBytes),
    outOfOrder: scaled(tally.outOfOrder),
  };
}
