// How many compressed bytes a decoder is given at a time, where what comes out of them cannot be bounded otherwise:
// few at first, more while data expand little, fewer again where they expand much.

/** What should come out of a step. */
const WANTED_BYTES = 512 * 1024;

export class StepSize {
  bytes: number;
  readonly #least: number;
  readonly #most: number;

  constructor(least: number, most: number) {
    this.#least = least;
    this.#most = most;
    this.bytes = least;
  }

  /** Learns from what came out of the last step. */
  gave(bytes: number): void {
    if (bytes > WANTED_BYTES) this.bytes = Math.max(this.#least, this.bytes / 4);
    else if (bytes < WANTED_BYTES / 2) this.bytes = Math.min(this.#most, this.bytes * 2);
  }
}
