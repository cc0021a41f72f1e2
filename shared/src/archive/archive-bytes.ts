// The bytes of an archive without its compression, read from front to back, with their place. Where there is no
// compression, what nobody wants is stepped over instead of read.
import { readFully, type ByteReader } from '../capture/byte-reader.ts';
import { decompress } from '../capture/decompress.ts';
import type { Source, SourceFile } from '../source/source.ts';

const SKIP_BYTES = 64 * 1024;
/** Less than this is read rather than stepped over. */
const STEP_BYTES = 1024 * 1024;

export class ArchiveBytes {
  readonly compressed: boolean;
  /** Of the next byte, in the archive without its compression. */
  position = 0;
  readonly #source: Source;
  readonly #file: SourceFile;
  readonly #signal: AbortSignal | undefined;
  #bytes: ByteReader;
  /** Bytes of the file before those that `#bytes` gives. */
  #before = 0;

  /** @throws Failure those of `Source.open` and of reading */
  static async open(source: Source, file: SourceFile, signal?: AbortSignal): Promise<ArchiveBytes> {
    const raw = await source.open(file);
    try {
      const { compression, bytes } = await decompress(raw, file.path);
      return new ArchiveBytes(source, file, signal, compression !== 'none', bytes);
    } catch (thrown) {
      await raw.close();
      throw thrown;
    }
  }

  private constructor(
    source: Source,
    file: SourceFile,
    signal: AbortSignal | undefined,
    compressed: boolean,
    bytes: ByteReader,
  ) {
    this.#source = source;
    this.#file = file;
    this.#signal = signal;
    this.compressed = compressed;
    this.#bytes = bytes;
  }

  /** Bytes of the file that are done with. */
  get consumed(): number {
    return this.#before + this.#bytes.consumed;
  }

  /** As `ByteReader.read`. */
  async read(target: Buffer, offset: number, length: number): Promise<number> {
    this.#signal?.throwIfAborted();
    const count = await this.#bytes.read(target, offset, length);
    this.position += count;
    return count;
  }

  /** As `readFully`. */
  async readFully(target: Buffer): Promise<number> {
    this.#signal?.throwIfAborted();
    const count = await readFully(this.#bytes, target);
    this.position += count;
    return count;
  }

  /** Passes over `length` bytes. @returns how many of them there were */
  async skip(length: number): Promise<number> {
    if (!this.compressed && length >= STEP_BYTES) return this.#step(length);
    const target = Buffer.allocUnsafe(Math.min(length, SKIP_BYTES));
    let left = length;
    while (left > 0) {
      const count = await this.read(target, 0, Math.min(left, target.length));
      if (count === 0) break;
      left -= count;
    }
    return length - left;
  }

  close(): Promise<void> {
    return this.#bytes.close();
  }

  async #step(length: number): Promise<number> {
    this.#signal?.throwIfAborted();
    const count = Math.max(0, Math.min(length, this.#file.size - this.position));
    await this.#bytes.close();
    this.position += count;
    this.#before = this.position;
    this.#bytes = await this.#source.open(this.#file, { from: this.position });
    return count;
  }
}
