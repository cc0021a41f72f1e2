/**
 * Writes packets the way a capture program with several threads does: shared out by flow, every thread rotating
 * its own files at its own pace, all files in one folder under one sequence of numbers, so that a name does not
 * tell the thread. Returns the truth about the set.
 *
 * The set is made so that the threads can be inferred from the files' times alone, by the rule "fewest sequences
 * of non-overlapping files; a file goes on where a sequence ended latest". For this a thread that has reached its
 * size rotates only between two of its packets that follow each other in the whole set, with different stamps and
 * no stamp of another thread equal to either: no other thread then begins, ends or is between two files there. It
 * may therefore rotate some packets late. No thread rotates before all have begun, so that all of them are open
 * at one moment; a set in which that cannot be held is refused with an error.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCaptureFile, type CaptureFile } from './capture-file.ts';
import { describeSet, emptyTruthFile, truthTime, type Truth, type TruthFile } from './capture-truth.ts';
import { flowHash } from './flow-hash.ts';
import { moments, type TimedPackets, type TimedPacket } from './timed-packets.ts';
import { plainPcap, type PcapHeader, type PcapRecord } from './pcap-writer.ts';

export interface CaptureThreadsOptions {
  /** Sorted by time (see `sortedByTime`); equal times are fine. */
  packets: TimedPackets;
  threads: number;
  /** One per thread: bytes of uncompressed file after which it rotates. */
  rotateBytes: readonly number[];
  /** An existing folder. */
  dir: string;
  gzip?: boolean;
  /** `cap-####.pcap.gz` by default: the run of # becomes the number, from 1. */
  namePattern?: string;
  header?: Partial<PcapHeader>;
  /**
   * Lets a thread rotate also between two packets with one stamp, so that its next file begins at the very time at
   * which the last one ended, as found in real sets. The threads are then told only by a rule that allows that.
   */
  touching?: boolean;
  /** Writes the truth there too. */
  truthFile?: string;
}

interface OpenFile {
  writer: CaptureFile;
  truth: TruthFile;
  begin: bigint;
  end: bigint;
}

interface Thread {
  worker: number;
  rotateBytes: number;
  current: OpenFile | undefined;
  files: TruthFile[];
  firstFileEnd: bigint;
  flows: Set<number>;
}

/** The thread that gets a frame. */
export function threadOf(frame: Uint8Array, threads: number): number {
  return flowHash(frame) % threads;
}

export async function writeCaptureThreads(options: CaptureThreadsOptions): Promise<Truth> {
  const { dir, gzip = true, touching = false } = options;
  const header = { ...plainPcap, ...options.header };
  const pattern = options.namePattern ?? (gzip ? 'cap-####.pcap.gz' : 'cap-####.pcap');
  const unit = header.magic === 'us' ? 1000n : 1n;
  const threads = makeThreads(options);
  const files: TruthFile[] = [];
  const closing: Promise<void>[] = [];
  let began = 0;
  let lastBegin = 0n;

  const close = (thread: Thread): void => {
    const open = thread.current;
    if (open === undefined) return;
    thread.current = undefined;
    if (open.truth.seq === 0) thread.firstFileEnd = open.end;
    const closed = finishFile(open, header.magic);
    // Awaited together at the end; a failure must not be unhandled until then.
    closed.catch(() => undefined);
    closing.push(closed);
  };

  const assign = ({ data }: TimedPacket): Thread => {
    const hash = flowHash(data);
    const thread = threads[hash % threads.length] as Thread;
    thread.flows.add(hash);
    return thread;
  };

  const open = (thread: Thread, time: bigint): OpenFile => {
    const file = pattern.replace(/#+/, (run) => String(files.length + 1).padStart(run.length, '0'));
    const truth = emptyTruthFile(file, thread.worker, thread.files.length);
    files.push(truth);
    thread.files.push(truth);
    if (truth.seq === 0) {
      began++;
      lastBegin = time;
    }
    return { writer: openCaptureFile(join(dir, file), header, gzip), truth, begin: time, end: time };
  };

  let ownerBefore: Thread | undefined;
  const writeMoment = async (time: bigint, packets: readonly TimedPacket[]): Promise<void> => {
    const assigned = packets.map((packet) => ({ packet, thread: assign(packet) }));
    const first = assigned[0]?.thread;
    const owner = assigned.every(({ thread }) => thread === first) ? first : undefined;
    const isDue = (): boolean => owner !== undefined && began === threads.length && isFull(owner);
    if (owner !== undefined && owner === ownerBefore && isDue()) close(owner);
    ownerBefore = owner;
    for (const { packet, thread } of assigned) {
      const { begin = time, end = -1n } = thread.current ?? {};
      if (touching && begin < time && end === time && isDue()) close(thread);
      thread.current ??= open(thread, time);
      thread.current.end = time;
      const waiting = thread.current.writer.add(toRecord(packet, time, unit));
      if (waiting !== undefined) await waiting;
    }
  };

  try {
    for await (const { time, packets } of moments(options.packets, unit)) await writeMoment(time, packets);
  } finally {
    for (const thread of threads) close(thread);
    await Promise.allSettled(closing);
  }
  await Promise.all(closing);

  if (began < threads.length) throw new Error(`only ${began} of ${threads.length} threads got packets`);
  if (threads.some((thread) => thread.firstFileEnd <= lastBegin)) {
    throw new Error('at no moment all threads have an open file: a thread ended before the last one began');
  }
  const truth = describeSet(
    files,
    threads.map((thread) => ({ rotateBytes: thread.rotateBytes, flows: thread.flows.size })),
  );
  if (options.truthFile !== undefined)
    await writeFile(options.truthFile, `${JSON.stringify(truth, null, 1)}\n`);
  return truth;
}

function makeThreads({ threads, rotateBytes }: CaptureThreadsOptions): Thread[] {
  if (rotateBytes.length !== threads) throw new RangeError(`rotateBytes needs ${threads} numbers`);
  return rotateBytes.map((bytes, worker) => ({
    worker,
    rotateBytes: bytes,
    current: undefined,
    files: [],
    firstFileEnd: 0n,
    flows: new Set(),
  }));
}

function isFull({ current, rotateBytes }: Thread): boolean {
  return current !== undefined && current.writer.rawSize() >= rotateBytes;
}

function toRecord({ data, wireLength }: TimedPacket, time: bigint, unit: bigint): PcapRecord {
  const stamp = {
    seconds: Number(time / 1_000_000_000n),
    fraction: Number((time % 1_000_000_000n) / unit),
  };
  return { ...stamp, data, ...(wireLength === undefined ? {} : { wireLength }) };
}

async function finishFile({ writer, truth, begin, end }: OpenFile, magic: 'us' | 'ns'): Promise<void> {
  const closed = await writer.close();
  truth.begin = truthTime(begin, magic);
  truth.end = truthTime(end, magic);
  truth.packets = closed.packets;
  truth.captured_bytes = closed.capturedBytes;
  truth.wire_bytes = closed.wireBytes;
  truth.raw_size = closed.rawSize;
  truth.size = closed.size;
  truth.sha256 = closed.sha256;
  truth.raw_sha256 = closed.rawSha256;
}
