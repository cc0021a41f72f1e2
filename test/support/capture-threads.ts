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
import { truthTime, type Truth, type TruthFile } from './capture-truth.ts';
import { flowHash } from './flow-hash.ts';
import { plainPcap, type PcapHeader } from './pcap-writer.ts';

export interface TimedPacket {
  /** Nanoseconds since the epoch. */
  time: bigint;
  data: Uint8Array;
  wireLength?: number;
}

export interface CaptureThreadsOptions {
  /** Sorted by time; equal times are fine. */
  packets: Iterable<TimedPacket> | AsyncIterable<TimedPacket>;
  threads: number;
  /** One per thread: bytes of uncompressed file after which it rotates. */
  rotateBytes: readonly number[];
  /** An existing folder. */
  dir: string;
  gzip?: boolean;
  /** `cap-####.pcap.gz` by default: the run of # becomes the number, from 1. */
  namePattern?: string;
  header?: Partial<PcapHeader>;
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

interface Assigned {
  packet: TimedPacket;
  thread: Thread;
}

/** The thread that gets a frame. */
export function threadOf(frame: Uint8Array, threads: number): number {
  return flowHash(frame) % threads;
}

export async function writeCaptureThreads(options: CaptureThreadsOptions): Promise<Truth> {
  const { dir, gzip = true } = options;
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

  // All packets with one stamp stand together here, so that a rotation sees every thread that has this stamp.
  let moment: Assigned[] = [];
  let ownerBefore: Thread | undefined;
  const writeMoment = async (): Promise<void> => {
    const owner = soleOwner(moment);
    const full = owner?.current !== undefined && owner.current.writer.rawSize() >= owner.rotateBytes;
    if (full && owner === ownerBefore && began === threads.length) close(owner);
    ownerBefore = owner;
    for (const { packet, thread } of moment) {
      thread.current ??= open(thread, packet.time);
      thread.current.end = packet.time;
      const waiting = thread.current.writer.add(toRecord(packet, unit));
      if (waiting !== undefined) await waiting;
    }
  };

  let now = -1n;
  for await (const original of options.packets) {
    const packet = { ...original, time: original.time - (original.time % unit) };
    if (packet.time < now) throw new RangeError('packets must be sorted by time');
    if (packet.time > now) {
      await writeMoment();
      moment = [];
      now = packet.time;
    }
    const hash = flowHash(packet.data);
    const thread = threads[hash % threads.length] as Thread;
    thread.flows.add(hash);
    moment.push({ packet, thread });
  }
  await writeMoment();
  for (const thread of threads) close(thread);
  await Promise.all(closing);

  if (began < threads.length) throw new Error(`only ${began} of ${threads.length} threads got packets`);
  if (threads.some((thread) => thread.firstFileEnd <= lastBegin)) {
    throw new Error('at no moment all threads have an open file: a thread ended before the last one began');
  }
  const truth = describe(threads, files);
  if (options.truthFile !== undefined) await writeFile(options.truthFile, `${JSON.stringify(truth, null, 1)}\n`);
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

function soleOwner(moment: readonly Assigned[]): Thread | undefined {
  const first = moment[0]?.thread;
  return moment.every(({ thread }) => thread === first) ? first : undefined;
}

function toRecord(packet: TimedPacket, unit: bigint): { seconds: number; fraction: number } & TimedPacket {
  const seconds = packet.time / 1_000_000_000n;
  return { ...packet, seconds: Number(seconds), fraction: Number((packet.time % 1_000_000_000n) / unit) };
}

function emptyTruthFile(file: string, worker: number, seq: number): TruthFile {
  const counts = { packets: 0, captured_bytes: 0, wire_bytes: 0, raw_size: 0, size: 0 };
  return { file, worker, seq, begin: '', end: '', ...counts, sha256: '', raw_sha256: '' };
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

function describe(threads: readonly Thread[], files: TruthFile[]): Truth {
  const sum = (pick: (file: TruthFile) => number): number => files.reduce((total, file) => total + pick(file), 0);
  // Equal widths, so the order of the texts is the order of the times.
  const ends = files.map((file) => file.end).sort();
  return {
    what: `files of ${threads.length} capture threads of one sensor; begin and end are the first and last packet`,
    workers: threads.length,
    rotate_bytes: threads.map((thread) => thread.rotateBytes),
    packets: sum((file) => file.packets),
    begin: files[0]?.begin ?? '',
    end: ends.at(-1) ?? '',
    flows: threads.reduce((total, thread) => total + thread.flows.size, 0),
    flows_per_worker: threads.map((thread) => thread.flows.size),
    captured_bytes: sum((file) => file.captured_bytes),
    wire_bytes: sum((file) => file.wire_bytes),
    size: sum((file) => file.size),
    chains: Object.fromEntries(
      threads.map((thread) => [String(thread.worker), thread.files.map(({ file }) => file)]),
    ),
    files,
  };
}
