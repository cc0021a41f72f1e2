// Walks a tar archive (POSIX ustar and pax, GNU, and the older ones without a magic), compressed or not, and gives its
// members one after another, each with a reader of its data. One pass, constant memory, and the exact place of every
// member's data, so that those of an uncompressed archive can be read again without it. What an archive holds
// before it is cut off or damaged is given; then the walk ends with the failure.
import type { ByteReader } from '../capture/byte-reader.ts';
import { asFailure, Failure, reasonOf } from '../errors/failure.ts';
import type { Source, SourceFile } from '../source/source.ts';
import { ArchiveBytes } from './archive-bytes.ts';
import {
  BLOCK_BYTES,
  decodeHeader,
  extensionSize,
  kindOf,
  oldSparseMapContinues,
  type TarHeader,
} from './tar-header.ts';

/** Extension records of one member (long names, pax) above this are refused. */
const MAX_EXTENSION_BYTES = 1024 * 1024;
/** Behind the last member: the end mark is two zero blocks, tapes are padded with more. */
const MAX_PADDING_BYTES = 1024 * 1024;
const END_MARK_BYTES = 2 * BLOCK_BYTES;

/** A member's data. Closing it does nothing: the walk owns the file. */
export interface MemberBytes extends ByteReader {
  /** Bytes that were not there although the header promised them: the archive is cut off or damaged in this member. */
  readonly missing: number;
}

export interface TarMember extends TarHeader {
  /** Byte of the file at which the data begin; null in a compressed archive. */
  readonly offset: number | null;
  /** Valid until the walk goes on, which passes over what was not read. `consumed` is that of the whole file. */
  readonly bytes: MemberBytes;
}

/**
 * @param signal ends the walk with its reason
 * @throws Failure `tarball-invalid` where no archive begins, `tarball-damaged`, `compression-damaged`, those of
 *   `Source.open` and of reading
 */
export async function* tarMembers(
  source: Source,
  file: SourceFile,
  signal?: AbortSignal,
): AsyncGenerator<TarMember, void, void> {
  const archive = await ArchiveBytes.open(source, file, signal);
  const damage = (offset: number, reason: string): Failure =>
    offset === 0
      ? new Failure('tarball-invalid', { path: file.path, reason })
      : new Failure('tarball-damaged', { path: file.path, offset, reason });
  try {
    for (;;) {
      const header = await nextHeader(archive, damage);
      if (!header) return;
      const offset = archive.compressed ? null : archive.position;
      const bytes = new MemberReader(archive, header.size);
      yield { ...header, offset, bytes };
      await bytes.pass();
      if (bytes.missing > 0) throw damage(archive.position, 'it ends in the middle of a member');
      await archive.skip(-header.size & (BLOCK_BYTES - 1));
    }
  } finally {
    await archive.close();
  }
}

/** Null at the end of the archive. */
async function nextHeader(
  archive: ArchiveBytes,
  damage: (offset: number, reason: string) => Failure,
): Promise<TarHeader | null> {
  for (let zeros = 0; zeros < MAX_PADDING_BYTES; zeros += BLOCK_BYTES) {
    const offset = archive.position;
    const block = Buffer.alloc(BLOCK_BYTES);
    const length = await archive.readFully(block);
    if (length === BLOCK_BYTES && kindOf(block) === 'zero') continue;
    if (length === 0 && zeros > 0) return null;
    try {
      if (length === 0) throw new Damage(offset === 0 ? 'it is empty' : 'it ends without its end mark');
      if (length < BLOCK_BYTES) throw new Damage('it ends in the middle of a header');
      return await readHeader(archive, block);
    } catch (thrown) {
      if (!(thrown instanceof Damage)) throw thrown;
      // Behind the end mark anything may stand.
      if (zeros >= END_MARK_BYTES) return null;
      throw damage(offset, thrown.message);
    }
  }
  return null;
}

/** @param first block of the header, or of extension records before it */
async function readHeader(archive: ArchiveBytes, first: Buffer): Promise<TarHeader> {
  const blocks: Buffer[] = [];
  let room = MAX_EXTENSION_BYTES;
  for (let block = first; ; block = await readBlock(archive)) {
    const kind = kindOf(block);
    switch (kind) {
      case 'zero':
        throw new Damage('a member is announced and does not follow');
      case 'extension':
      case 'global': {
        const size = extensionSize(block);
        if (size === null || size > room) {
          throw new Damage(
            `an extension record is larger than the ${String(MAX_EXTENSION_BYTES)} bytes allowed`,
          );
        }
        const record = Buffer.alloc(Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES);
        if ((await archive.readFully(record)) < record.length)
          throw new Damage('it ends in an extension record');
        room -= BLOCK_BYTES + record.length;
        // What is said of all members (a comment, as a rule) is passed over.
        if (kind === 'extension') blocks.push(block, record);
        break;
      }
      case 'old sparse':
      case 'member': {
        const header = await decodeHeader(Buffer.concat([...blocks, block]), kind).catch((error: unknown) => {
          throw new Damage(reasonOf(error));
        });
        let more = kind === 'old sparse' && oldSparseMapContinues(block, 'header');
        while (more) more = oldSparseMapContinues(await readBlock(archive), 'map');
        return header;
      }
    }
  }
}

async function readBlock(archive: ArchiveBytes): Promise<Buffer> {
  const block = Buffer.alloc(BLOCK_BYTES);
  if ((await archive.readFully(block)) < BLOCK_BYTES) throw new Damage('it ends in the middle of a header');
  return block;
}

class MemberReader implements MemberBytes {
  readonly #archive: ArchiveBytes;
  #left: number;
  #over = false;
  #passed = false;
  #failure: Error | null = null;
  /** Who read may have gone without waiting for it. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(archive: ArchiveBytes, size: number) {
    this.#archive = archive;
    this.#left = size;
  }

  get consumed(): number {
    return this.#archive.consumed;
  }

  get missing(): number {
    return this.#over ? this.#left : 0;
  }

  read(target: Buffer, offset: number, length: number): Promise<number> {
    if (this.#passed || this.#over || this.#left === 0) return Promise.resolve(0);
    const reading = this.#read(target, offset, length);
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  async #read(target: Buffer, offset: number, length: number): Promise<number> {
    try {
      const count = await this.#archive.read(target, offset, Math.min(length, this.#left));
      this.#left -= count;
      this.#over = count === 0;
      return count;
    } catch (thrown) {
      this.#over = true;
      this.#failure = thrown instanceof Error ? thrown : asFailure(thrown);
      throw thrown;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Passes over what was not read, and gives nothing from now on. */
  async pass(): Promise<void> {
    this.#passed = true;
    await this.#reading;
    if (this.#failure !== null) throw this.#failure;
    if (!this.#over) this.#left -= await this.#archive.skip(this.#left);
    this.#over = true;
  }
}

/** Why the archive ends here. */
class Damage extends Error {}
