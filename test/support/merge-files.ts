/** Captures in memory as the files of a merge, with an account of when each was opened and done. */
import { openCapture } from '@capfleet/shared/capture/open-capture';
import type { MergeFile } from '@capfleet/replayer/merge';
import { memoryReader, type MemoryReaderOptions } from './memory-reader.ts';
import { pcapFile } from './pcap-writer.ts';

/** One file: the stamps of its packets in ns, in the order of the file. */
export type Stamps = readonly bigint[];

export interface Watched {
  /** Files open now, and the most at any moment. */
  open: number;
  most: number;
  /** Numbers of the files in the order in which they were opened. */
  opened: number[];
  done: { file: number; packets: number; failure: unknown; warnings: string[] }[];
}

export interface WatchedFiles {
  files: MergeFile[];
  watched: Watched;
}

const SECOND = 1_000_000_000n;

/** What packet `index` of file `file` carries: its own name, padded to an odd length that differs. */
export function payload(file: number, index: number): Buffer {
  const name = `${file}:${index};`;
  return Buffer.from(name.padEnd(name.length + ((file * 31 + index * 7) % 41), '.'));
}

/** The name in a payload, as [file, index]. */
export function nameOf(bytes: Uint8Array): [number, number] {
  const [file, index] = Buffer.from(bytes).toString().split(';', 1)[0]!.split(':').map(Number);
  return [file!, index!];
}

export function fileOf(number: number, stamps: Stamps): Buffer {
  return pcapFile(
    { magic: 'ns' },
    stamps.map((time, index) => ({
      seconds: Number(time / SECOND),
      fraction: Number(time % SECOND),
      data: payload(number, index),
    })),
  );
}

export interface WatchOptions {
  reader?: MemoryReaderOptions;
  /** Bytes of a file instead of the sound ones. */
  bytes?: ReadonlyMap<number, Buffer>;
  /** Failures of reading, by file. */
  failures?: ReadonlyMap<number, NonNullable<MemoryReaderOptions['failure']>>;
}

export function watchedFiles(sets: readonly Stamps[], options: WatchOptions = {}): WatchedFiles {
  const watched: Watched = { open: 0, most: 0, opened: [], done: [] };
  const files = sets.map((stamps, number): MergeFile => {
    const bytes = options.bytes?.get(number) ?? fileOf(number, stamps);
    const failure = options.failures?.get(number);
    return {
      path: `${number}.pcap`,
      earliest: stamps.reduce((least, time) => (time < least ? time : least), stamps[0] ?? 0n),
      async open() {
        watched.opened.push(number);
        const inner = memoryReader(bytes, { ...options.reader, ...(failure && { failure }) });
        watched.open += 1;
        watched.most = Math.max(watched.most, watched.open);
        let closed = false;
        return openCapture(
          {
            read: (target, offset, length) => inner.read(target, offset, length),
            get consumed() {
              return inner.consumed;
            },
            async close() {
              if (!closed) watched.open -= 1;
              closed = true;
            },
          },
          `file ${number}`,
        );
      },
      done(packets, reader, failure) {
        const warnings = (reader?.warnings() ?? []).map(({ kind }) => kind);
        watched.done.push({ file: number, packets, failure, warnings });
      },
    };
  });
  return { files, watched };
}

export interface Placed {
  file: number;
  index: number;
  time: bigint;
  /** The latest stamp of the file up to this packet. */
  place: bigint;
}

/** The order that a merge must give: a stable sort by place, ties by file, then by place in the file. */
export function mergedOrder(sets: readonly Stamps[]): Placed[] {
  const all = sets.flatMap((stamps, file) => {
    let place = stamps[0] ?? 0n;
    return stamps.map((time, index): Placed => {
      if (time > place) place = time;
      return { file, index, time, place };
    });
  });
  return all.sort((a, b) =>
    a.place === b.place ? a.file - b.file || a.index - b.index : a.place < b.place ? -1 : 1,
  );
}
