// Takes the files out of a tarball, one pass, a bounded piece at a time. Every member that matches is written whole,
// or is reported with the reason; one that the tarball itself breaks off is written as far as it goes, and reported.
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { checkName, DistinctNames, shortName } from '@capfleet/shared/archive/member-name';
import { tarMembers, type TarMember } from '@capfleet/shared/archive/tar-members';
import { prepend, type ByteReader } from '@capfleet/shared/capture/byte-reader';
import { decompress } from '@capfleet/shared/capture/decompress';
import { isSkippable } from '@capfleet/shared/capture/skippable-frame';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Sink } from '@capfleet/shared/sink/sink';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import type { PathPattern } from '@capfleet/shared/source/path-pattern';
import { TroubleLog } from './trouble-log.ts';

const CHUNK_BYTES = 128 * 1024;
/** Tells every compression apart. */
const MAGIC_BYTES = 16;

export interface ExtractRequest {
  readonly tarball: SourceFile;
  /** Only members whose name matches; null takes all. */
  readonly pattern: PathPattern | null;
  /** Compresses what is not compressed already, and adds `.gz` to its name. */
  readonly gzip: boolean;
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  /** Called with the bytes of the tarball that are done. */
  readonly onProgress: (consumed: number, written: number) => void;
}

export interface ExtractResult {
  /** Members of the tarball, folders left out. */
  members: number;
  matched: number;
  written: number;
  /** Of the members written, before `gzip`. */
  bytes: number;
  readonly troubles: TroubleLog;
  /** Why the tarball could not be read to its end. */
  damage: Failure | null;
}

/**
 * @throws Failure `tarball-invalid`, `output-unwritable`, those of reading; the signal's reason
 */
export async function extractTarball(
  source: Source,
  sink: Sink,
  request: ExtractRequest,
): Promise<ExtractResult> {
  const result: ExtractResult = {
    members: 0,
    matched: 0,
    written: 0,
    bytes: 0,
    troubles: new TroubleLog(),
    damage: null,
  };
  const names = new DistinctNames();
  try {
    for await (const member of tarMembers(source, request.tarball, request.signal)) {
      request.onProgress(member.bytes.consumed, result.written);
      if (member.type === 'folder') continue;
      result.members += 1;
      if (request.pattern?.test(member.name) === false) continue;
      result.matched += 1;
      await extractMember(member, names, sink, request, result);
    }
  } catch (thrown) {
    if (!isDamage(thrown)) throw thrown;
    result.damage = thrown;
  }
  return result;
}

/** True for what ends a tarball early without making what came before it worth less. */
export function isDamage(thrown: unknown): thrown is Failure {
  return (
    thrown instanceof Failure && (thrown.code === 'tarball-damaged' || thrown.code === 'compression-damaged')
  );
}

async function extractMember(
  member: TarMember,
  names: DistinctNames,
  sink: Sink,
  request: ExtractRequest,
  result: ExtractResult,
): Promise<void> {
  const { troubles } = result;
  const checked = checkName(member.name);
  const refused = checked.refused ?? (member.type === 'file' ? null : `it is a ${member.type}`);
  if (checked.refused !== null || refused !== null) {
    troubles.add('refused', shortName(member.name), refused ?? '');
    return;
  }
  const start = await readStart(member.bytes);
  const compress = request.gzip && !(await isCompressed(start));
  const wanted = compress ? `${checked.name}.gz` : checked.name;
  const name = names.take(wanted);
  if (name !== wanted)
    troubles.add('renamed', wanted, `written as ${name}: the tarball has several of that name`);
  try {
    await write(prepend(start, member.bytes), name, compress, member, sink, request, result.written);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    if (thrown.code === 'output-exists') troubles.add('exists', name, 'a file of that name is there');
    else if (thrown.code === 'output-blocked') troubles.add('refused', name, String(thrown.fields['reason']));
    else throw thrown;
    return;
  }
  const { missing } = member.bytes;
  if (missing > 0) troubles.add('cut off', name, `the tarball ends ${String(missing)} bytes before it does`);
  result.written += 1;
  result.bytes += member.size - missing;
}

async function write(
  bytes: ByteReader,
  name: string,
  compress: boolean,
  { mtime, size }: TarMember,
  sink: Sink,
  { overwrite, signal, onProgress }: ExtractRequest,
  written: number,
): Promise<void> {
  const file = await sink.create(name, { mtime, overwrite, size });
  try {
    const chunks = chunksOf(bytes, (consumed) => {
      onProgress(consumed, written);
    });
    if (compress) await pipeline(chunks, createGzip(), file.writable, { signal });
    else await pipeline(chunks, file.writable, { signal });
    await file.commit();
  } catch (thrown) {
    await file.abort();
    signal.throwIfAborted();
    if (thrown instanceof Failure) throw thrown;
    const path = sink.pathOf(name);
    throw new Failure('output-unwritable', { path, reason: reasonOf(thrown) }, { cause: thrown });
  }
}

async function* chunksOf(bytes: ByteReader, onProgress: (consumed: number) => void): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const count = await bytes.read(chunk, 0, chunk.length).catch(endWhereDamaged);
    if (count === 0) return;
    onProgress(bytes.consumed);
    yield chunk.subarray(0, count);
  }
}

/** What came before the damage is written; the walk tells of the damage when it goes on. */
function endWhereDamaged(thrown: unknown): 0 {
  if (isDamage(thrown)) return 0;
  throw thrown;
}

async function readStart(bytes: ByteReader): Promise<Buffer> {
  const head = Buffer.alloc(MAGIC_BYTES);
  let filled = 0;
  while (filled < head.length) {
    const count = await bytes.read(head, filled, head.length - filled).catch(endWhereDamaged);
    if (count === 0) break;
    filled += count;
  }
  return head.subarray(0, filled);
}

/** Asks who opens captures, so that a file is left as it is exactly where it would be read as compressed. */
async function isCompressed(start: Buffer): Promise<boolean> {
  if (isSkippable(start)) return true;
  const nothing: ByteReader = { read: () => Promise.resolve(0), consumed: 0, close: () => Promise.resolve() };
  const { compression, bytes } = await decompress(prepend(start, nothing), '');
  await bytes.close();
  return compression !== 'none';
}
