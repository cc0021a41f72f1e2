/**
 * A whole capture set from a seed: made traffic written by several capture threads, without network or
 * privileges. The same options give the same files, byte for byte.
 */
import { writeCaptureThreads } from './capture-threads.ts';
import type { Truth } from './capture-truth.ts';
import { rotateBytesFor } from './rotate-bytes.ts';
import { syntheticTraffic } from './synthetic-traffic.ts';
import type { TimedPacket } from './timed-packets.ts';

export interface SyntheticSetOptions {
  seed: number;
  /** An existing folder. */
  dir: string;
  /** Length of the traffic, within some percent; the number of packets is exactly seconds × packetsPerSecond. */
  seconds: number;
  /** 2,000 when left out. */
  packetsPerSecond?: number;
  threads?: number;
  /** Files of every thread, or of each; a thread that finds few moments to rotate may have fewer. */
  filesPerThread?: number | readonly number[];
  /** Instead of filesPerThread: one size for each thread. */
  rotateBytes?: readonly number[];
  resolution?: 'us' | 'ns';
  byteOrder?: 'le' | 'be';
  gzip?: boolean;
  namePattern?: string;
  start?: bigint;
  largestFrame?: number;
  /** See `CaptureThreadsOptions`. */
  touching?: boolean;
  truthFile?: string;
}

export async function makeSyntheticSet(options: SyntheticSetOptions): Promise<Truth> {
  const { threads = 4, resolution = 'us', byteOrder = 'le', dir } = options;
  const traffic = (): Generator<TimedPacket> => syntheticPackets(options);
  return writeCaptureThreads({
    packets: traffic(),
    threads,
    rotateBytes: options.rotateBytes ?? rotateBytesFor(traffic(), threads, options.filesPerThread ?? 4),
    dir,
    header: { magic: resolution, byteOrder },
    ...(options.gzip === undefined ? {} : { gzip: options.gzip }),
    ...(options.namePattern === undefined ? {} : { namePattern: options.namePattern }),
    ...(options.touching === undefined ? {} : { touching: options.touching }),
    ...(options.truthFile === undefined ? {} : { truthFile: options.truthFile }),
  });
}

/** The packets of that set, to compare with what a reader or a replay makes of the files. */
export function syntheticPackets(options: Omit<SyntheticSetOptions, 'dir'>): Generator<TimedPacket> {
  const { seed, seconds, packetsPerSecond = 2000, start, resolution = 'us', largestFrame } = options;
  return syntheticTraffic({
    seed,
    packets: Math.round(seconds * packetsPerSecond),
    packetsPerSecond,
    resolution,
    ...(start === undefined ? {} : { start }),
    ...(largestFrame === undefined ? {} : { largestFrame }),
  });
}
