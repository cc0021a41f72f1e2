/**
 * What is true of a made capture set: which thread wrote which file, and what is in every file. It is plain
 * JSON, so that it can stand beside the set and be compared with what a map found out.
 */

export interface TruthFile {
  file: string;
  /** The thread, 0 … workers − 1. */
  worker: number;
  /** Place among the files of that thread, from 0. */
  seq: number;
  /** Seconds of the first packet, with six or nine digits after the point. */
  begin: string;
  end: string;
  packets: number;
  captured_bytes: number;
  wire_bytes: number;
  /** Length and SHA-256 of the file, and of what is in it once inflated. */
  raw_size: number;
  size: number;
  sha256: string;
  raw_sha256: string;
}

export interface Truth {
  what: string;
  workers: number;
  /** Bytes of uncompressed file after which each thread looks for a moment to rotate. */
  rotate_bytes: number[];
  packets: number;
  begin: string;
  end: string;
  /** Distinct flow hashes. */
  flows: number;
  flows_per_worker: number[];
  captured_bytes: number;
  wire_bytes: number;
  size: number;
  /** File names of each thread in the order they were written; the key is the thread. */
  chains: Record<string, string[]>;
  /** In order of creation, which is the order of the names. */
  files: TruthFile[];
}

/** Nanoseconds since the epoch as `seconds.fraction`. */
export function truthTime(time: bigint, resolution: 'us' | 'ns'): string {
  const seconds = time / 1_000_000_000n;
  const nanoseconds = String(time % 1_000_000_000n).padStart(9, '0');
  return `${seconds}.${resolution === 'us' ? nanoseconds.slice(0, 6) : nanoseconds}`;
}

/** The inverse of `truthTime`, in nanoseconds. */
export function parseTruthTime(text: string): bigint {
  const [seconds = '0', fraction = ''] = text.split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** To be filled in when the file is closed. */
export function emptyTruthFile(file: string, worker: number, seq: number): TruthFile {
  const counts = { packets: 0, captured_bytes: 0, wire_bytes: 0, raw_size: 0, size: 0 };
  return { file, worker, seq, begin: '', end: '', ...counts, sha256: '', raw_sha256: '' };
}

/** The account of the whole set from that of its files, in order of creation, and its threads. */
export function describeSet(
  files: TruthFile[],
  threads: readonly { rotateBytes: number; flows: number }[],
): Truth {
  const sum = (pick: (file: TruthFile) => number): number =>
    files.reduce((total, file) => total + pick(file), 0);
  const filesOf = (worker: number): string[] =>
    files.filter((file) => file.worker === worker).map(({ file }) => file);
  // Equal widths, so the order of the texts is the order of the times.
  const ends = files.map((file) => file.end).sort();
  return {
    what: `files of ${threads.length} capture threads of one sensor; begin and end are the first and last packet`,
    workers: threads.length,
    rotate_bytes: threads.map(({ rotateBytes }) => rotateBytes),
    packets: sum((file) => file.packets),
    begin: files[0]?.begin ?? '',
    end: ends.at(-1) ?? '',
    flows: threads.reduce((total, { flows }) => total + flows, 0),
    flows_per_worker: threads.map(({ flows }) => flows),
    captured_bytes: sum((file) => file.captured_bytes),
    wire_bytes: sum((file) => file.wire_bytes),
    size: sum((file) => file.size),
    chains: Object.fromEntries(threads.map((_, worker) => [String(worker), filesOf(worker)])),
    files,
  };
}
