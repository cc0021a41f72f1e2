// Inflates gzip (RFC 1952) on the fly, any number of members; zero padding or other bytes after the last one are
// passed over, as gzip does. The members' frames are read here and only the inflating is left to Node's zlib (which
// works outside the event loop), because its gunzip drops what it had inflated when a checksum is wrong: here every
// byte of a member is delivered before its checksum is judged.
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import { reasonOf } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { Damage, type CompressedInput } from './compressed-input.ts';
import { decodedReader, type Decoder } from './decoded-reader.ts';
import { TransformPump } from './transform-pump.ts';

/** Compressed bytes of a step, and what may come out of it before they are gone on with by the next. */
const STEP_BYTES = 64 * 1024;
const ENOUGH_BYTES = 512 * 1024;
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
  return decodedReader(compressed, path, new GzipDecoder());
}

class GzipDecoder implements Decoder {
  #member: Member | null = null;
  #members = 0;

  async step(input: CompressedInput, output: Buffer[]): Promise<boolean> {
    if (!this.#member) {
      if (!(await readHeader(input, this.#members === 0))) return false;
      this.#members += 1;
      this.#member = new Member();
    }
    const member = this.#member;
    // Steps end at multiples of their size, whatever the pieces that the file arrives in.
    const room = STEP_BYTES - (input.position % STEP_BYTES);
    input.take(await member.inflate(await input.peek(room), output));
    if (member.ended) {
      this.#member = null;
      const trailer = await input.bytes(8);
      if (trailer.readUInt32LE(0) !== member.checksum) throw new Damage(false, 'incorrect data check');
      if (trailer.readUInt32LE(4) !== member.length % 2 ** 32)
        throw new Damage(false, 'incorrect length check');
    }
    return true;
  }

  close(): void {
    this.#member?.close();
  }
}

/** Reads a member's header; false where no other member begins. */
async function readHeader(input: CompressedInput, needed: boolean): Promise<boolean> {
  const first = await input.byteOrEnd();
  const second = first === 0x1f ? await input.byteOrEnd() : null;
  if (first !== 0x1f || second !== 0x8b) {
    if (!needed) return false;
    throw new Damage(first === null || second === null, 'it does not begin with a gzip header');
  }
  const method = await input.byte();
  if (method !== DEFLATE) throw new Damage(false, `compression method ${String(method)} is unknown`);
  const flags = await input.byte();
  await input.skip(6);
  if (flags & FLAG_EXTRA) await input.skip((await input.byte()) + 256 * (await input.byte()));
  if (flags & FLAG_NAME) await skipText(input);
  if (flags & FLAG_COMMENT) await skipText(input);
  if (flags & FLAG_HEADER_CRC) await input.skip(2);
  return true;
}

async function skipText(input: CompressedInput): Promise<void> {
  while ((await input.byte()) !== 0);
}

/** The deflated data of one member. */
class Member {
  checksum = 0;
  length = 0;
  readonly #inflater: InflateRaw;
  readonly #pump: TransformPump;
  /** The bytes given last have more to come out of them. */
  #unfinished = false;
  /** Bytes taken before those. */
  #before = 0;

  constructor() {
    this.#inflater = createInflateRaw({ chunkSize: OUTPUT_CHUNK_BYTES });
    this.#inflater.on('data', (chunk: Buffer) => {
      this.checksum = crc32(chunk, this.checksum);
      this.length += chunk.length;
    });
    this.#pump = new TransformPump(this.#inflater, ENOUGH_BYTES);
  }

  get ended(): boolean {
    return this.#pump.ended;
  }

  /**
   * Inflates compressed bytes (none: the file is over) and adds what comes out to `output`.
   * @returns the bytes taken: none where there is more to come out of the same bytes, which are to be given again;
   *   else fewer than given only where the member ended in between
   */
  async inflate(bytes: Buffer, output: Buffer[]): Promise<number> {
    try {
      if (this.#unfinished) this.#unfinished = !(await this.#pump.more(output));
      else {
        this.#before = this.#inflater.bytesWritten;
        this.#unfinished = !(await (bytes.length === 0
          ? this.#pump.end(output)
          : this.#pump.write(bytes, output)));
      }
      if (this.#unfinished) return 0;
      // The end of the data shows when more comes than they need: give the stream's event its turn.
      if (this.#inflater.bytesWritten - this.#before < bytes.length) await this.#pump.untilEnded(output);
    } catch (thrown) {
      const cut = thrown instanceof Error && 'code' in thrown && thrown.code === 'Z_BUF_ERROR';
      throw cut ? new Damage(true, undefined, thrown) : new Damage(false, reasonOf(thrown), thrown);
    }
    return this.#inflater.bytesWritten - this.#before;
  }

  close(): void {
    this.#pump.close();
  }
}
