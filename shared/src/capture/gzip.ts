// Inflates gzip (RFC 1952) on the fly, any number of members; zero padding or other bytes after the last one are
// passed over, as gzip does. One bounded slice of compressed bytes is inflated at a time, so memory is bounded even
// for data that expand a thousandfold. The members' frames are read here and only the inflating is left to Node's
// zlib (which works outside the event loop), because its gunzip drops what it had inflated when a checksum is wrong:
// here every byte of a member is delivered before its checksum is judged.
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import { Failure, reasonOf } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';

const SLICE_BYTES = 64 * 1024;
/** What an inflating step that meets damage may lose, at most. */
const OUTPUT_CHUNK_BYTES = 64 * 1024;

const DEFLATE = 8;
const FLAG_HEADER_CRC = 2;
const FLAG_EXTRA = 4;
const FLAG_NAME = 8;
const FLAG_COMMENT = 16;

export function isGzip(head: Buffer): boolean {
  return head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b;
}

export function gunzip(compressed: ByteReader, path: string): ByteReader {
  return new GzipReader(compressed, path);
}

class GzipReader implements ByteReader {
  readonly #compressed: ByteReader;
  readonly #path: string;
  readonly #slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
  /** Bytes of the slice that are not taken yet. */
  #start = 0;
  #end = 0;
  /** Inflated bytes that are not read yet. */
  readonly #chunks: Buffer[] = [];
  #position = 0;
  #member: Member | null = null;
  #members = 0;
  #over = false;
  /** Told when what came before it has been read. */
  #failure: Failure | null = null;

  constructor(compressed: ByteReader, path: string) {
    this.#compressed = compressed;
    this.#path = path;
  }

  get consumed(): number {
    return this.#compressed.consumed;
  }

  async read(target: Buffer, offset: number, length: number): Promise<number> {
    while (this.#chunks.length === 0) {
      if (this.#failure) throw this.#failure;
      if (this.#over) return 0;
      await this.#step();
    }
    const chunk = this.#chunks[0] as Buffer;
    const count = chunk.copy(target, offset, this.#position, Math.min(chunk.length, this.#position + length));
    this.#position += count;
    if (this.#position === chunk.length) {
      this.#chunks.shift();
      this.#position = 0;
    }
    return count;
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#member?.close();
    await this.#compressed.close();
  }

  /** Goes on by one slice, or to the next member. */
  async #step(): Promise<void> {
    try {
      this.#member ??= await this.#openMember();
      if (!this.#member) {
        this.#over = true;
        return;
      }
      if (this.#start === this.#end) await this.#fill();
      const taken = await this.#member.inflate(this.#slice.subarray(this.#start, this.#end), this.#chunks);
      this.#start += taken;
      if (this.#member.ended) await this.#closeMember(this.#member);
    } catch (thrown) {
      if (!(thrown instanceof Damage)) throw thrown;
      this.#member?.close();
      this.#failure = new Failure(
        'compression-damaged',
        { path: this.#path, offset: this.consumed, reason: thrown.message, cut: thrown.cut ? 'yes' : 'no' },
        { cause: thrown.cause },
      );
    }
  }

  /** Reads a member's header; null where no other member begins. */
  async #openMember(): Promise<Member | null> {
    const first = await this.#byteOrEnd();
    const second = first === 0x1f ? await this.#byteOrEnd() : null;
    if (first !== 0x1f || second !== 0x8b) {
      if (this.#members > 0) return null;
      throw new Damage(first === null || second === null, 'it does not begin with a gzip header');
    }
    const method = await this.#byte();
    if (method !== DEFLATE) throw new Damage(false, `compression method ${String(method)} is unknown`);
    const flags = await this.#byte();
    await this.#skip(6);
    if (flags & FLAG_EXTRA) await this.#skip((await this.#byte()) + 256 * (await this.#byte()));
    if (flags & FLAG_NAME) await this.#skipText();
    if (flags & FLAG_COMMENT) await this.#skipText();
    if (flags & FLAG_HEADER_CRC) await this.#skip(2);
    this.#members += 1;
    return new Member();
  }

  /** Holds a member against its trailer. */
  async #closeMember(member: Member): Promise<void> {
    this.#member = null;
    const trailer = Buffer.alloc(8);
    for (let index = 0; index < trailer.length; index += 1) trailer[index] = await this.#byte();
    if (trailer.readUInt32LE(0) !== member.checksum) throw new Damage(false, 'incorrect data check');
    if (trailer.readUInt32LE(4) !== member.length % 2 ** 32)
      throw new Damage(false, 'incorrect length check');
  }

  /** Brings in the next slice; an empty one at the end. */
  async #fill(): Promise<void> {
    this.#start = 0;
    this.#end = 0;
    this.#end = await this.#compressed.read(this.#slice, 0, this.#slice.length);
  }

  async #byteOrEnd(): Promise<number | null> {
    if (this.#start === this.#end) await this.#fill();
    return this.#start === this.#end ? null : (this.#slice[this.#start++] as number);
  }

  async #byte(): Promise<number> {
    const byte = await this.#byteOrEnd();
    if (byte === null) throw new Damage(true);
    return byte;
  }

  async #skip(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) await this.#byte();
  }

  async #skipText(): Promise<void> {
    while ((await this.#byte()) !== 0);
  }
}

/** The deflated data of one member. */
class Member {
  checksum = 0;
  length = 0;
  ended = false;
  readonly #inflater: InflateRaw;
  #output: Buffer[] = [];
  #failure: Error | null = null;
  #settle: () => void = () => undefined;

  constructor() {
    this.#inflater = createInflateRaw({ chunkSize: OUTPUT_CHUNK_BYTES });
    this.#inflater.on('data', (chunk: Buffer) => {
      this.checksum = crc32(chunk, this.checksum);
      this.length += chunk.length;
      this.#output.push(chunk);
    });
    this.#inflater.on('error', (error) => {
      this.#failure = error;
      this.#settle();
    });
    this.#inflater.on('end', () => {
      this.ended = true;
      this.#settle();
    });
  }

  /**
   * Inflates compressed bytes (none: the file is over) and adds what comes out to `output`.
   * @returns the bytes taken; fewer than given only where the member ended in between
   */
  async inflate(bytes: Buffer, output: Buffer[]): Promise<number> {
    this.#output = output;
    const before = this.#inflater.bytesWritten;
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      if (bytes.length === 0) this.#inflater.end();
      else
        this.#inflater.write(bytes, () => {
          resolve();
        });
    });
    if (this.#failure) throw damageOf(this.#failure);
    // The end of the data shows when more comes than they need: give the stream's event its turn.
    if (!this.ended && this.#inflater.bytesWritten - before < bytes.length) {
      await new Promise<void>((resolve) => (this.#settle = resolve));
    }
    return this.#inflater.bytesWritten - before;
  }

  close(): void {
    this.#inflater.destroy();
  }
}

/** Why the compressed data end early. */
class Damage extends Error {
  readonly cut: boolean;

  constructor(cut: boolean, message = 'the file ends in the middle of it', cause?: unknown) {
    super(message, { cause });
    this.cut = cut;
  }
}

function damageOf(error: Error): Damage {
  const cut = 'code' in error && error.code === 'Z_BUF_ERROR';
  return cut ? new Damage(true, undefined, error) : new Damage(false, reasonOf(error), error);
}
