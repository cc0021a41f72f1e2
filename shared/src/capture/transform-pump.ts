// Drives a decoding stream of Node's kind step by step: one write at a time, and what came out of it, held back by the
// stream itself where that is more than enough for one step.
import type { Transform } from 'node:stream';

export class TransformPump {
  /** True after the stream said that its data are over. */
  ended = false;
  readonly #stream: Transform;
  readonly #enough: number;
  #output: Buffer[] = [];
  #room = 0;
  /** What was written last is decoded. */
  #taken = true;
  #failure: Error | null = null;
  #settle: () => void = () => undefined;

  /** @param enough bytes out of one step, give or take a chunk; only for streams that stop when nobody takes them */
  constructor(stream: Transform, enough = Number.POSITIVE_INFINITY) {
    this.#stream = stream;
    this.#enough = enough;
    stream.on('data', (chunk: Buffer) => {
      this.#output.push(chunk);
      this.#room -= chunk.length;
      if (this.#room > 0) return;
      stream.pause();
      this.#settle();
    });
    stream.on('error', (error) => {
      this.#failure = error;
      this.#settle();
    });
    stream.on('end', () => {
      this.ended = true;
      this.#taken = true;
      this.#settle();
    });
  }

  /**
   * Decodes `bytes`, which stay as they are meanwhile, and adds what comes out to `output`.
   * @returns false where there is more to come of them: call `more` until it gives true
   * @throws the stream's own error; what its last chunk would have been is lost
   */
  write(bytes: Buffer, output: Buffer[]): Promise<boolean> {
    this.#taken = false;
    return this.#step(output, () => {
      this.#stream.write(bytes, () => {
        this.#taken = true;
        this.#settle();
      });
    });
  }

  /** Says that nothing more comes. @returns as `write` */
  end(output: Buffer[]): Promise<boolean> {
    this.#taken = false;
    return this.#step(output, () => {
      this.#stream.end();
    });
  }

  /** Goes on with what `write` or `end` began. @returns as `write` */
  more(output: Buffer[]): Promise<boolean> {
    return this.#step(output, () => undefined);
  }

  /** Waits for the stream's word that its data are over. */
  async untilEnded(output: Buffer[]): Promise<void> {
    this.#taken = this.ended;
    while (!(await this.more(output)));
  }

  close(): void {
    this.#stream.destroy();
  }

  async #step(output: Buffer[], start: () => void): Promise<boolean> {
    this.#output = output;
    this.#room = this.#enough;
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      start();
      this.#stream.resume();
      if (this.#taken) resolve();
    });
    if (this.#failure) throw this.#failure;
    return this.#taken;
  }
}
