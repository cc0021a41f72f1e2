// Inflates gzip (RFC 1952) on the fly, any number of members; zero padding or other bytes after the last one are
// passed over, as gzip does. The members' frames are read here and only the inflating is left to zlib, because Node's
// gunzip drops what it had inflated when a checksum is wrong: here every byte of a member is delivered before its
// checksum is judged. Node's streams send each chunk to another thread and back, which takes longer than inflating it;
// minizlib drives the same zlib in place.
import { crc32 } from 'node:zlib';
import { InflateRaw } from 'minizlib';
import { reasonOf } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { Damage, type CompressedInput } from './compressed-input.ts';
import { decodedReader, type Decoder } from './decoded-reader.ts';
import { StepSize } from './step-size.ts';

/** Compressed bytes of a step, which may be lost where it meets damage; they expand by 1032 at most. */
const LEAST_STEP_BYTES = 512;
const MOST_STEP_BYTES = 16 * 1024;

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
  readonly #inflater = new Inflater();
  #inMember = false;
  #members = 0;
  readonly #step = new StepSize(LEAST_STEP_BYTES, MOST_STEP_BYTES);

  async step(input: CompressedInput, output: Buffer[]): Promise<boolean> {
    const member = this.#inflater;
    if (!this.#inMember) {
      if (!(await readHeader(input, this.#members === 0))) return false;
      if (this.#members > 0) member.reset();
      this.#members += 1;
      this.#inMember = true;
    }
    const bytes = await input.peek(this.#step.bytes);
    if (bytes.length === 0) throw new Damage(true);
    const before = member.length;
    input.take(member.inflate(bytes, output));
    this.#step.gave(member.length - before);
    if (member.ended) {
      this.#inMember = false;
      const trailer = await input.bytes(8);
      if (trailer.readUInt32LE(0) !== member.checksum) throw new Damage(false, 'incorrect data check');
      if (trailer.readUInt32LE(4) !== member.length % 2 ** 32)
        throw new Damage(false, 'incorrect length check');
    }
    return true;
  }

  close(): void {
    this.#inflater.close();
  }
}

/** Reads a member's header; false where no other member begins. */
async function readHeader(input: CompressedInput, needed: boolean): Promise<boolean> {
  const first = await input.byteOrEnd();
  const second = first === 0x1f ? await input.byteOrEnd() : null;
  if (first !== 0x1f || second !== 0x8b) {
    if (!needed) {
      const read = [first, second].filter((byte) => byte !== null);
      await input.expectPadding(Buffer.from(read));
      return false;
    }
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

/** Inflates one member after another. */
class Inflater {
  ended = false;
  checksum = 0;
  length = 0;
  readonly #inflater = new InflateRaw({});
  #output: Buffer[] = [];
  #failure: Error | null = null;

  constructor() {
    this.#inflater.on('data', (chunk) => {
      this.checksum = crc32(chunk, this.checksum);
      this.length += chunk.length;
      this.#output.push(chunk);
    });
    this.#inflater.on('error', (error) => {
      this.#failure = error as Error;
    });
  }

  /**
   * Inflates some bytes and adds what comes out to `output`.
   * @returns the bytes taken: fewer than given only where the member ended
   * @throws Damage
   */
  inflate(bytes: Buffer, output: Buffer[]): number {
    this.#output = output;
    this.#inflater.write(bytes);
    if (this.#failure) throw new Damage(false, reasonOf(this.#failure.cause), this.#failure);
    const taken = this.#inflater.handle?.bytesWritten ?? 0;
    this.ended = taken < bytes.length;
    return taken;
  }

  /** For the next member. */
  reset(): void {
    this.#inflater.reset();
    this.ended = false;
    this.checksum = 0;
    this.length = 0;
  }

  close(): void {
    this.#inflater.close();
  }
}
