// The set that the demo plays: a folder of yours, or traffic made on the spot and spread over four capture threads.
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeCaptureThreads } from '../../test/support/capture-threads.ts';
import type { Truth } from '../../test/support/capture-truth.ts';
import { readPcap } from '../../test/support/pcap-reader.ts';
import { rotateBytesFor } from '../../test/support/rotate-bytes.ts';
import { makeSyntheticSet } from '../../test/support/synthetic-set.ts';
import { sortedByTime } from '../../test/support/timed-packets.ts';
import { makeLiveCapture } from './live-traffic.ts';

const THREADS = 4;
/** Each thread has its own pace. */
const FILES_PER_THREAD = [7, 6, 5, 4];

export interface SetRequest {
  /** A folder of captures; null: traffic made on the spot. */
  readonly captures: string | null;
  /** Length of the traffic that is made. */
  readonly seconds: number;
  /** This process is in private namespaces, where real programs can talk. */
  readonly namespaces: boolean;
}

/** `truth` tells which thread wrote which file; null for a folder of yours. */
export async function makeSet(
  options: SetRequest,
  work: string,
  say: (text: string) => void,
): Promise<{ folder: string; truth: Truth | null }> {
  if (options.captures !== null) return { folder: resolve(options.captures), truth: null };
  const folder = join(work, 'captures');
  mkdirSync(folder);
  if (!options.namespaces) {
    return {
      folder,
      truth: await makeSyntheticSet({
        seed: 1,
        dir: folder,
        seconds: options.seconds,
        packetsPerSecond: 1500,
        threads: THREADS,
      }),
    };
  }
  say('== capture: four threads, each rotating its own files, names that do not tell the thread');
  const live = await makeLiveCapture({ dir: work, seconds: options.seconds, log: say });
  // Two processors may deliver packets in another order than they stamped them.
  const packets = sortedByTime(readPcap(readFileSync(live.path)).packets);
  const rotateBytes = rotateBytesFor(packets, THREADS, FILES_PER_THREAD);
  const truth = await writeCaptureThreads({
    packets,
    threads: THREADS,
    rotateBytes,
    dir: folder,
    header: { magic: 'ns' },
  });
  say(`${String(truth.files.length)} files in ${folder}`);
  return { folder, truth };
}
