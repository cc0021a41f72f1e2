// Writes frames into the pacer's ring, in the record layout of native/binding.ts. One producer; it knows how far
// the pacer has read only from the last commit, which is all it needs: what looks full may be less so.
import { RECORD, RECORD_HEADER_BYTES } from './native/binding.ts';
import type { FrameSink } from './ports/frame-sink.ts';
import type { Pacer } from './ports/pacer.ts';

/** Records are published after this many bytes, so that a border crossing serves many of them. */
const COMMIT_BYTES = 64 * 1024;

export class RingWriter implements FrameSink {
  readonly #pacer: Pacer;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly #longs: BigInt64Array;
  readonly #size: number;
  /** Bytes ever written, ever published, ever consumed as far as known. */
  #head = 0;
  #committed = 0;
  #tail = 0;
  /** `#head` modulo the ring's size. */
  #offset = 0;

  constructor(pacer: Pacer) {
    this.#pacer = pacer;
    this.#bytes = Buffer.from(pacer.memory);
    this.#words = new Uint32Array(pacer.memory);
    this.#doubles = new Float64Array(pacer.memory);
    this.#longs = new BigInt64Array(pacer.memory);
    this.#size = pacer.memory.byteLength;
  }

  /**
   * @param due ns after the current origin
   * @returns false where there is no room now; nothing is written then
   */
  frame(due: number, source: Buffer, start: number, length: number): boolean {
    const size = RECORD_HEADER_BYTES + ((length + 7) & ~7);
    if (!this.#room(size)) return false;
    const offset = this.#offset;
    this.#words[offset >> 2] = length;
    this.#words[(offset >> 2) + 1] = RECORD.frame;
    this.#doubles[(offset >> 3) + 1] = due;
    source.copy(this.#bytes, offset + RECORD_HEADER_BYTES, start, start + length);
    this.#advance(size);
    if (this.#head - this.#committed >= COMMIT_BYTES) this.commit();
    return true;
  }

  /** Sets the origin of the frames that follow, ns after T0. False where there is no room now. */
  origin(origin: bigint): boolean {
    const size = RECORD_HEADER_BYTES + 8;
    if (!this.#room(size)) return false;
    const offset = this.#offset;
    this.#words[offset >> 2] = 8;
    this.#words[(offset >> 2) + 1] = RECORD.origin;
    this.#doubles[(offset >> 3) + 1] = 0;
    this.#longs[(offset >> 3) + 2] = origin;
    this.#advance(size);
    return true;
  }

  /** Publishes what was written and learns how far the pacer has read. */
  commit(): void {
    this.#tail = this.#pacer.commit(this.#head);
    this.#committed = this.#head;
  }

  /** How much is waiting to be sent now; publishes what was written. */
  fill(): { readonly filled: number; readonly size: number } {
    this.commit();
    return { filled: this.#head - this.#tail, size: this.#size };
  }

  end(): void {
    this.commit();
    this.#pacer.end();
  }

  /** Makes room for one record that lies in one piece, skipping the ring's end where it does not fit there. */
  #room(size: number): boolean {
    const untilEnd = this.#size - this.#offset;
    const skipped = untilEnd < size ? untilEnd : 0;
    if (this.#head + skipped + size - this.#tail > this.#size) return false;
    if (skipped >= RECORD_HEADER_BYTES) {
      this.#words[this.#offset >> 2] = 0;
      this.#words[(this.#offset >> 2) + 1] = RECORD.filler;
    }
    if (skipped > 0) this.#advance(skipped);
    return true;
  }

  #advance(size: number): void {
    this.#head += size;
    this.#offset += size;
    if (this.#offset === this.#size) this.#offset = 0;
  }
}
