// Reads a range of an object through several ranged GETs side by side. Bytes can be read as soon as they are there,
// also from a part that is still coming. Reading ahead begins with one part and widens by one with every part that was
// read, so that a look at a file's head costs one GET; at most `parallel` parts are held, in buffers that are reused.
import type { ByteReader } from '../../capture/byte-reader.ts';

export interface PartPlan {
  /** First byte, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  readonly partSize: number;
  readonly parallel: number;
}

/** Gives the bytes of a stretch, in order; rejects where that fails. */
export type FetchPart = (
  from: number,
  length: number,
  take: (bytes: Buffer) => void,
  signal: AbortSignal,
) => Promise<void>;

interface Part {
  readonly bytes: Buffer;
  readonly length: number;
  filled: number;
  failure: { readonly thrown: unknown } | null;
  /** Set while the reader waits for more of it. */
  wake: (() => void) | null;
  /** Resolves when nothing more comes. */
  ended: Promise<void>;
}

export class PartReader implements ByteReader {
  readonly #plan: PartPlan;
  readonly #fetch: FetchPart;
  readonly #giveUp = new AbortController();
  /** Parts under way or not yet read, in order. */
  readonly #parts: Part[] = [];
  readonly #spare: Buffer[] = [];
  /** Where the next part begins. */
  #next: number;
  /** Bytes of the first part that are read. */
  #taken = 0;
  #width = 1;
  #consumed = 0;

  private constructor(plan: PartPlan, fetch: FetchPart) {
    this.#plan = plan;
    this.#fetch = fetch;
    this.#next = plan.from;
  }

  /** Resolves when the first bytes are there. @throws what fetching them throws */
  static async open(plan: PartPlan, fetch: FetchPart): Promise<PartReader> {
    const reader = new PartReader(plan, fetch);
    try {
      reader.#launch();
      await reader.#available();
      return reader;
    } catch (thrown) {
      await reader.close();
      throw thrown;
    }
  }

  get consumed(): number {
    return this.#consumed;
  }

  async read(target: Buffer, offset: number, length: number): Promise<number> {
    const part = await this.#available();
    if (!part) return 0;
    const count = part.bytes.copy(target, offset, this.#taken, Math.min(part.filled, this.#taken + length));
    this.#taken += count;
    this.#consumed += count;
    if (this.#taken === part.length) this.#finish(part);
    return count;
  }

  async close(): Promise<void> {
    this.#giveUp.abort();
    await Promise.all(this.#parts.map(({ ended }) => ended));
    this.#parts.length = 0;
    this.#spare.length = 0;
    this.#next = this.#plan.to;
  }

  /** The first part with bytes to read in it; null at the end. */
  async #available(): Promise<Part | null> {
    const part = this.#parts[0];
    if (!part) return null;
    while (part.filled === this.#taken) {
      if (part.failure) throw part.failure.thrown;
      await new Promise<void>((resolve) => (part.wake = resolve));
    }
    return part;
  }

  #finish(part: Part): void {
    this.#parts.shift();
    this.#spare.push(part.bytes);
    this.#taken = 0;
    this.#width = Math.min(this.#plan.parallel, this.#width + 1);
    this.#launch();
  }

  /** Begins as many parts as may be under way. */
  #launch(): void {
    const { to, partSize } = this.#plan;
    while (this.#next < to && this.#parts.length < this.#width) {
      const length = Math.min(partSize, to - this.#next);
      const part: Part = {
        bytes: this.#spare.pop() ?? Buffer.allocUnsafeSlow(length),
        length,
        filled: 0,
        failure: null,
        wake: null,
        ended: Promise.resolve(),
      };
      part.ended = this.#fill(part, this.#next);
      this.#parts.push(part);
      this.#next += length;
    }
  }

  async #fill(part: Part, from: number): Promise<void> {
    const woken = (): void => {
      part.wake?.();
      part.wake = null;
    };
    const take = (bytes: Buffer): void => {
      bytes.copy(part.bytes, part.filled);
      part.filled += bytes.length;
      woken();
    };
    try {
      await this.#fetch(from, part.length, take, this.#giveUp.signal);
    } catch (thrown) {
      // Told when what came before it has been read.
      part.failure = { thrown };
      woken();
    }
  }
}
