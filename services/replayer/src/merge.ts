// All files of a sensor as one sequence by time: a stable k-way merge (ties: order of the files, then order in the
// file). A file is opened when the sequence reaches its begin and closed when it is done, so the number of open
// files follows the overlap, not the size of the set. Within a file the order stays as it is: a packet whose stamp
// runs backwards, or that has none, comes right after the packet before it.
import type { PacketReader } from '@capfleet/shared/capture/packet-reader';
import { toSecondsAndNanos, type Nanos } from '@capfleet/shared/time/nanos';
import { Heap } from './heap.ts';

export interface MergeReader extends PacketReader {
  /** Whether the current packet's stamp runs backwards in the capture, and it was put in order; absent: none is. */
  readonly reordered?: boolean;
}

export interface MergeFile {
  readonly path: string;
  readonly earliest: Nanos;
  open(): Promise<MergeReader>;
  /** Called once when the file is done; `failure` where reading it failed. */
  done(packets: number, reader: PacketReader | null, failure: unknown): void;
}

interface Stream {
  readonly file: MergeFile;
  readonly reader: MergeReader;
  readonly order: number;
  packets: number;
  /** Stamp of the packet that was placed last; of those without one, that of the packet before them. */
  lastSeconds: number;
  lastNanos: number;
  /** Place in the sequence: the latest stamp of the file so far. */
  seconds: number;
  nanos: number;
  /** Whether the stamp that was placed last is earlier than the one before it. */
  isBackwards: boolean;
}

export class Merge {
  /** Stamp of the packet that `next` gave; where it has none, that of the packet before it in its file. */
  seconds = 0;
  nanos = 0;
  /** Its place in the sequence: the latest stamp of its file so far. */
  placeSeconds = 0;
  placeNanos = 0;
  /** Whether its stamp is earlier than that of the packet before it in its file. */
  isBackwards = false;
  /** Whether it was put in order before it came here. */
  isReordered = false;
  /** The file it came from. */
  path = '';

  /** Not yet opened, by begin; `#nextFile` is the first of them. */
  readonly #files: readonly { file: MergeFile; order: number; seconds: number; nanos: number }[];
  #nextFile = 0;
  /** Streams with a packet at hand. */
  readonly #heap = new Heap<Stream>(before);
  /** The stream whose packet was given last. */
  #given: Stream | null = null;

  constructor(files: readonly MergeFile[]) {
    this.#files = files
      .map((file, order) => ({ file, order, ...toSecondsAndNanos(file.earliest) }))
      .sort((a, b) => a.seconds - b.seconds || a.nanos - b.nanos || a.order - b.order);
  }

  /**
   * The reader that stands at the next packet, or null: call `settle` first. The packet is valid until the next call.
   */
  next(): PacketReader | null {
    const given = this.#given;
    if (given) {
      if (!given.reader.advance()) return null;
      this.#given = null;
      this.#place(given);
    }
    const top = this.#heap.first;
    if (!top || this.#mustOpen(top)) return null;
    this.#heap.pop();
    this.#given = top;
    this.seconds = top.lastSeconds;
    this.nanos = top.lastNanos;
    this.placeSeconds = top.seconds;
    this.placeNanos = top.nanos;
    this.isBackwards = top.isBackwards;
    this.isReordered = top.reader.reordered === true;
    this.path = top.file.path;
    top.packets += 1;
    return top.reader;
  }

  /** Whether the packet that `next` gave has an earlier stamp than one before it in its file. */
  get isLate(): boolean {
    return (
      this.seconds < this.placeSeconds || (this.seconds === this.placeSeconds && this.nanos < this.placeNanos)
    );
  }

  /** Opens files and reads on. False: the sequence is over. */
  async settle(): Promise<boolean> {
    const given = this.#given;
    if (given) {
      this.#given = null;
      await this.#refill(given);
    }
    for (;;) {
      const top = this.#heap.first;
      const entry = this.#files[this.#nextFile];
      if (!entry || (top && !this.#mustOpen(top))) return top !== undefined;
      this.#nextFile += 1;
      await this.#open(entry.file, entry.order);
    }
  }

  /** Closes what is open. */
  async close(): Promise<void> {
    const open = this.#given ? [...this.#heap.items, this.#given] : [...this.#heap.items];
    this.#given = null;
    this.#heap.clear();
    await Promise.all(open.map(({ reader }) => reader.close()));
  }

  #mustOpen(top: Stream): boolean {
    const entry = this.#files[this.#nextFile];
    if (!entry) return false;
    return entry.seconds < top.seconds || (entry.seconds === top.seconds && entry.nanos <= top.nanos);
  }

  async #open(file: MergeFile, order: number): Promise<void> {
    let reader: MergeReader;
    try {
      reader = await file.open();
    } catch (failure) {
      file.done(0, null, failure);
      return;
    }
    const { seconds, nanos } = toSecondsAndNanos(file.earliest);
    await this.#refill({
      file,
      reader,
      order,
      packets: 0,
      lastSeconds: seconds,
      lastNanos: nanos,
      seconds,
      nanos,
      isBackwards: false,
    });
  }

  /** Brings the stream's next packet up, or ends the stream. */
  async #refill(stream: Stream): Promise<void> {
    const { file, reader } = stream;
    let failure: unknown;
    try {
      do {
        if (reader.advance()) {
          this.#place(stream);
          return;
        }
      } while (await reader.fill());
    } catch (thrown) {
      failure = thrown;
    }
    await reader.close();
    file.done(stream.packets, reader, failure);
  }

  /** A packet without a stamp has the place of the one before it, so it comes right after that. */
  #place(stream: Stream): void {
    const { seconds, nanos, timed } = stream.reader;
    stream.isBackwards =
      timed && (seconds < stream.lastSeconds || (seconds === stream.lastSeconds && nanos < stream.lastNanos));
    if (!timed) {
      this.#heap.push(stream);
      return;
    }
    stream.lastSeconds = seconds;
    stream.lastNanos = nanos;
    if (seconds > stream.seconds || (seconds === stream.seconds && nanos >= stream.nanos)) {
      stream.seconds = seconds;
      stream.nanos = nanos;
    }
    this.#heap.push(stream);
  }
}

function before(a: Stream, b: Stream): boolean {
  if (a.seconds !== b.seconds) return a.seconds < b.seconds;
  if (a.nanos !== b.nanos) return a.nanos < b.nanos;
  return a.order < b.order;
}
