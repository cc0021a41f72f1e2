// Reads the records that ring-writer writes, for a pacer that is not the native one. It checks each against what was
// published before it shows it, as the native core does. No allocation per record.
import { RECORD, RECORD_HEADER_BYTES } from './native/binding.ts';

export type RingFound = 'frame' | 'origin' | 'empty' | 'malformed';

export class RingReader {
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly #longs: BigInt64Array;
  readonly #size: number;
  #head = 0;
  #tail = 0;
  /** Of the record that `peek` found. */
  #recordSize = 0;
  length = 0;
  /** Of a frame: ns after the current origin. */
  due = 0;
  /** Of its bytes in the ring. */
  start = 0;
  /** Of an origin record, ns. */
  origin = 0n;

  constructor(memory: ArrayBuffer) {
    this.#words = new Uint32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#longs = new BigInt64Array(memory);
    this.#size = memory.byteLength;
  }

  /** Bytes ever consumed. */
  get tail(): number {
    return this.#tail;
  }

  /** @param head bytes ever published */
  publish(head: number): void {
    this.#head = head;
  }

  /** Finds the next record, which stays until `consume`. */
  peek(): RingFound {
    for (;;) {
      const available = this.#head - this.#tail;
      if (available === 0) return 'empty';
      if (!(available > 0 && available <= this.#size)) return 'malformed';
      const offset = this.#tail % this.#size;
      const untilEnd = this.#size - offset;
      const hasHeader = untilEnd >= RECORD_HEADER_BYTES;
      if (hasHeader && available < RECORD_HEADER_BYTES) return 'malformed';
      const kind = hasHeader ? this.#words[(offset >> 2) + 1] : RECORD.filler;
      if (kind === RECORD.filler) {
        if (untilEnd > available) return 'malformed';
        this.#tail += untilEnd;
        continue;
      }
      const length = this.#words[offset >> 2] ?? 0;
      const size = RECORD_HEADER_BYTES + Math.ceil(length / 8) * 8;
      if (size > untilEnd || size > available) return 'malformed';
      this.#recordSize = size;
      this.length = length;
      this.start = offset + RECORD_HEADER_BYTES;
      if (kind === RECORD.origin && length === 8) {
        this.origin = this.#longs[this.start >> 3] ?? 0n;
        return 'origin';
      }
      this.due = this.#doubles[(offset >> 3) + 1] ?? Number.NaN;
      return kind === RECORD.frame && Number.isSafeInteger(this.due) ? 'frame' : 'malformed';
    }
  }

  consume(): void {
    this.#tail += this.#recordSize;
  }
}
