// The stretch of a capture that its reader looks at. It owns the memory: while the reader goes through one window the
// next one is read already, so that the file and the reader work side by side. Memory is bounded by what a reader
// asks for at a time; a file that ends at once costs little, because the first window is small.
import { Failure } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import type { WarningKind } from './warning.ts';

/** The largest window of who reads many captures side by side, and of who reads one. */
export const MODEST_WINDOW_BYTES = 256 * 1024;
export const LARGE_WINDOW_BYTES = 1856 * 1024;
const FIRST_WINDOW_BYTES = 16 * 1024;
const SMALLEST_WINDOW_BYTES = 1024;
/** Given at a time of what is there, so that who reads can stop, or tell how far it is. */
const PORTION_BYTES = 256 * 1024;
/** Room before what is read into a window, for what the window before it left over: this part of it, up to a bound. */
const MARGIN_SHARE = 4;
const LARGEST_MARGIN = 64 * 1024;

export class CaptureWindow {
  bytes: Buffer;
  view: DataView;
  /** Positions in `bytes`: the next byte to look at, and the end of what may be looked at. */
  start = 0;
  end = 0;
  /** Why the bytes ended before the capture did: its compression is damaged or cut. */
  damage: Failure | null = null;

  readonly #source: ByteReader;
  readonly #largest: number;
  /** End of what is there. */
  #filled = 0;
  /** Offset in the capture of position 0. */
  #base: number;
  #size: number;
  #spare: Buffer | null = null;
  /** Where the spare's bytes begin that are read ahead. */
  #margin = 0;
  /** The read into `#spare` that is under way, or its failure, which waits for who asks. */
  #ahead: Promise<number> | null = null;
  /** Bytes that are wanted by nobody, still to come. */
  #toSkip = 0;
  #over = false;

  /**
   * @param offset of the source's next byte in the capture
   * @param largest bytes that a window may grow to, where no single record needs more
   */
  constructor(source: ByteReader, offset: number, largest: number) {
    this.#source = source;
    this.#base = offset;
    this.#size = Math.min(FIRST_WINDOW_BYTES, Math.max(SMALLEST_WINDOW_BYTES, largest));
    this.#largest = Math.max(this.#size, largest - (largest % FIRST_WINDOW_BYTES));
    this.bytes = Buffer.allocUnsafeSlow(this.#size);
    this.view = viewOf(this.bytes);
  }

  get consumed(): number {
    return this.#source.consumed;
  }

  /** Offset in the capture of a position. */
  offsetOf(position: number): number {
    return this.#base + position;
  }

  /** Passes over bytes that may not be there yet; they are never held. */
  skip(count: number): void {
    const here = Math.min(count, this.#filled - this.start);
    this.start += here;
    this.end = Math.max(this.end, this.start);
    this.#toSkip += count - here;
  }

  /**
   * Brings in more, until `wanted` bytes from `start` on are there. Positions change.
   * @returns false where the bytes end before that; `damage` says whether in order
   * @throws Failure `read-failed` …
   */
  async fill(wanted: number): Promise<boolean> {
    try {
      if (this.#isShort(wanted)) await this.#takeAhead();
      while (this.#isShort(wanted)) {
        if (this.#over) {
          this.end = this.#filled;
          return false;
        }
        this.#makeRoom(wanted);
        this.#take(await this.#source.read(this.bytes, this.#filled, this.bytes.length - this.#filled));
      }
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code !== 'compression-damaged') throw thrown;
      this.damage = thrown;
      this.#over = true;
      this.end = this.#filled;
      return false;
    }
    this.end = Math.min(this.#filled, this.start + Math.max(wanted, PORTION_BYTES));
    this.#readAhead();
    return true;
  }

  /** Frees the file, also while it is read. */
  close(): Promise<void> {
    this.#over = true;
    return this.#source.close();
  }

  #isShort(wanted: number): boolean {
    return this.#toSkip > 0 || this.#filled - this.start < wanted;
  }

  #readAhead(): void {
    if (this.#over || this.#ahead) return;
    const margin = Math.min(LARGEST_MARGIN, Math.floor(this.#size / MARGIN_SHARE));
    this.#margin = margin;
    if (this.#spare?.length !== margin + this.#size)
      this.#spare = Buffer.allocUnsafeSlow(margin + this.#size);
    this.#ahead = this.#source.read(this.#spare, margin, this.#size);
    // Told by the next `fill`; nobody may be there to ask.
    this.#ahead.catch(() => undefined);
  }

  /** Puts what was read ahead behind what is left. */
  async #takeAhead(): Promise<void> {
    if (!this.#ahead) return;
    const reading = this.#ahead;
    this.#ahead = null;
    const count = await reading;
    const spare = this.#spare as Buffer;
    const margin = this.#margin;
    const left = this.#filled - this.start;
    if (left > margin) {
      // A large record in the making: the rest goes behind it.
      if (left + count > this.bytes.length) this.#moveTo(Buffer.allocUnsafeSlow(2 * left + count));
      else if (this.#filled + count > this.bytes.length) this.#moveTo(this.bytes);
      spare.copy(this.bytes, this.#filled, margin, margin + count);
    } else {
      this.bytes.copy(spare, margin - left, this.start, this.#filled);
      this.#base += this.start - (margin - left);
      this.#spare = this.bytes;
      this.bytes = spare;
      this.view = viewOf(spare);
      this.start = margin - left;
      this.#filled = margin;
    }
    this.#take(count);
  }

  /** Counts in what was read behind what was there. */
  #take(count: number): void {
    if (count === 0) this.#over = true;
    if (count >= this.#size) this.#size = this.#largest;
    this.#filled += count;
    const skipped = Math.min(this.#toSkip, this.#filled - this.start);
    this.start += skipped;
    this.#toSkip -= skipped;
  }

  /**
   * Makes room behind what is there, towards `wanted` bytes in all. Memory grows with what has come, never with what a
   * record claims.
   */
  #makeRoom(wanted: number): void {
    if (this.start + wanted <= this.bytes.length) return;
    if (this.start > 0) this.#moveTo(this.bytes);
    if (this.#filled < this.bytes.length) return;
    this.#moveTo(Buffer.allocUnsafeSlow(Math.min(wanted, 2 * this.#filled) + this.#size));
  }

  /** Moves what is left to the front of `target`, which is the window then. */
  #moveTo(target: Buffer): void {
    this.bytes.copy(target, 0, this.start, this.#filled);
    this.#base += this.start;
    this.#filled -= this.start;
    this.start = 0;
    if (target === this.bytes) return;
    this.bytes = target;
    this.view = viewOf(target);
  }
}

/** What to say where the bytes ended within a record of `wanted` bytes; null where they ended between two. */
export function endOf(
  window: CaptureWindow,
  record: string,
  wanted: number,
): { readonly kind: WarningKind; readonly message: string } | null {
  if (window.damage) {
    const { message, fields } = window.damage;
    if (fields['kind'] === 'trailing') {
      // Where exactly they begin depends on how far the decoder has read.
      const isWhole = window.end === window.start;
      return { kind: isWhole ? 'trailing-bytes' : 'damaged-compression', message: String(fields['reason']) };
    }
    return { kind: fields['kind'] === 'cut' ? 'cut-off-compression' : 'damaged-compression', message };
  }
  const left = window.end - window.start;
  if (left === 0) return null;
  return {
    kind: 'cut-off-record',
    message: `the last ${record} has ${String(left)} of ${String(wanted)} bytes`,
  };
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}
