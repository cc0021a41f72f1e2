/** Walks a whole archive through the product's reader, and keeps everything that it gave before it ended or failed. */
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { tarMembers, type TarMember } from '@capfleet/shared/archive/tar-members';
import { asFailure, type Failure } from '@capfleet/shared/errors/failure';
import type { MemoryReaderOptions } from './memory-reader.ts';
import { memorySource } from './memory-source.ts';

export interface ReadMember extends Omit<TarMember, 'bytes'> {
  data: Buffer;
  missing: number;
}

export interface ReadArchive {
  members: ReadMember[];
  failure: Failure | null;
  /** Readers of the archive that are left open. */
  open: number;
}

export async function readMembers(
  archive: Uint8Array,
  options: MemoryReaderOptions = {},
): Promise<ReadArchive> {
  const source = memorySource();
  source.put('/set.tar', archive, options);
  const members: ReadMember[] = [];
  let failure: Failure | null = null;
  try {
    for await (const { bytes, ...header } of tarMembers(source, await source.stat('/set.tar'))) {
      // The last member may be broken off; what came before that is kept too.
      const member: ReadMember = { ...header, data: Buffer.alloc(0), missing: 0 };
      members.push(member);
      try {
        await readAll(bytes, (chunk) => {
          member.data = Buffer.concat([member.data, chunk]);
        });
      } finally {
        member.missing = bytes.missing;
      }
    }
  } catch (thrown) {
    failure = asFailure(thrown);
  }
  return { members, failure, open: source.openReaders };
}

async function readAll(reader: ByteReader, take: (chunk: Buffer) => void): Promise<void> {
  for (;;) {
    const target = Buffer.alloc(10_000);
    const count = await reader.read(target, 0, target.length);
    if (count === 0) return;
    take(target.subarray(0, count));
  }
}
