// Maps the captures in a tarball in one pass, without extracting it: each member as a file of its own, named
// `<tarball>!/<member>`. A member of an uncompressed tarball is told as a stretch of it, so that it can be played from
// there. What is wrong with the tarball itself is one failed file with its name.
import { checkName, DistinctNames, memberPath, shortName } from '@capfleet/shared/archive/member-name';
import { tarMembers, type TarMember } from '@capfleet/shared/archive/tar-members';
import { breakingKinds } from '@capfleet/shared/capture/warning';
import {
  failedFile,
  type FailedFile,
  type FileMap,
  type MappedFile,
} from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import { matches, type Source, type SourceFile, type SourceFilter } from '@capfleet/shared/source/source';
import { mapBytes, type MapFileOptions } from './map-file.ts';
import { assertUnchanged } from './mapped-file.ts';

export interface ArchiveCounts {
  /** Members of the tarball, folders left out. */
  readonly members: number;
  /** Those that the filter let through: as many maps were emitted. */
  readonly matched: number;
  /** False where the tarball is damaged, no tarball or changed meanwhile: one more map was emitted. */
  readonly sound: boolean;
}

/**
 * A second member of the same name has a number in its path (`a#2.pcap`) and keeps its name. The suffix and the
 * pattern are held against the path with the member's name in it.
 * @param emit takes one map after another, in the order of the tarball
 * @throws Failure where it is retryable (members may have been emitted by then, and are emitted again by the next
 *   attempt, with the same paths), and what `emit` throws
 */
export async function mapArchive(
  source: Source,
  file: SourceFile,
  filter: Pick<SourceFilter, 'suffix' | 'pattern'>,
  emit: (map: FileMap) => Promise<void>,
  options: MapFileOptions = {},
): Promise<ArchiveCounts> {
  const names = new DistinctNames();
  const walk = tarMembers(source, file, options.signal);
  let [members, matched] = [0, 0];
  try {
    for (;;) {
      const step = await damageAsValue(walk.next());
      if (step instanceof Failure) {
        await emit(failedFile(file, step));
        return { members, matched, sound: false };
      }
      if (step.done) break;
      const member = step.value;
      if (member.type === 'folder') continue;
      members += 1;
      const checked = checkName(member.name);
      const name = checked.refused === null ? checked.name : shortName(member.name);
      if (!matches(memberPath(file.path, name), filter)) continue;
      matched += 1;
      const described: SourceFile = {
        path: memberPath(file.path, names.take(name)),
        name,
        size: member.size,
        version: file.version,
        ...(member.offset !== null && { within: { path: file.path, offset: member.offset } }),
      };
      await emit(await mapMember(member, described, checked.refused, options));
    }
  } finally {
    await walk.return();
  }
  const changed = await damageAsValue(assertUnchanged(source, file));
  if (changed) await emit(failedFile(file, changed));
  return { members, matched, sound: !changed };
}

async function damageAsValue<T>(work: Promise<T>): Promise<T | Failure> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof Failure && !thrown.retryable) return thrown;
    throw thrown;
  }
}

async function mapMember(
  member: TarMember,
  file: SourceFile,
  refused: string | null,
  options: MapFileOptions,
): Promise<FileMap> {
  const reason = refused ?? (member.type === 'file' ? null : `it is a ${member.type}`);
  if (reason !== null) return failedFile(file, new Failure('member-refused', { path: file.path, reason }));
  return brokenOff(await mapBytes(member.bytes, file, options), member);
}

/** A member that the tarball breaks off between two packets does not look cut off. */
function brokenOff(map: MappedFile | FailedFile, { size, bytes: { missing } }: TarMember): FileMap {
  if (map.status === 'failed' || missing === 0 || map.warnings.some(({ kind }) => breakingKinds.has(kind)))
    return map;
  const message = `the tarball ends ${String(missing)} bytes before this member does`;
  const warning = { kind: 'cut-off-record' as const, count: 1, offset: size - missing, message };
  return { ...map, status: 'partial', warnings: [...map.warnings, warning] };
}
