// Drives a decoding stream of Node's kind step by step: one write at a time, and all that came out of it.
import type { Transform } from 'node:stream';

export class TransformPump {
  readonly #stream: Transform;
  #output: Buffer[] = [];
  #failure: Error | null = null;
  #settle: () => void = () => undefined;

  constructor(stream: Transform) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.#output.push(chunk);
    });
    stream.on('error', (error) => {
      this.#failure = error;
      this.#settle();
    });
    stream.on('end', () => {
      this.#settle();
    });
  }

  /**
   * Decodes `bytes`, which stay as they are meanwhile, and adds what comes out to `output`.
   * @throws the stream's own error; what this step gave before it is lost
   */
  async write(bytes: Buffer, output: Buffer[]): Promise<void> {
    await this.#settled(output, (done) => this.#stream.write(bytes, done));
  }

  /** Says that nothing more comes. */
  async end(output: Buffer[]): Promise<void> {
    await this.#settled(output, () => this.#stream.end());
  }

  close(): void {
    this.#stream.destroy();
  }

  async #settled(output: Buffer[], start: (done: () => void) => unknown): Promise<void> {
    this.#output = output;
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      start(resolve);
    });
    if (this.#failure) throw this.#failure;
  }
}
