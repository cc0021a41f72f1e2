// Checks before the start everything that could fail after it: the interface, the files, whether the one takes
// what is in the others. The raw socket itself is tried when the play opens it.
import { isInside } from '@capfleet/shared/source/roots';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import { isSameFile } from '@capfleet/shared/source/same-file';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { statHolder } from '@capfleet/shared/source/stretch';
import { tarballsOf } from '@capfleet/shared/archive/member-name';
import { inferLanes } from '@capfleet/shared/dataset/lanes';
import type { EditPlan } from '@capfleet/shared/edit/edit-plan';
import { leastGrowth } from '@capfleet/shared/edit/frame-growth';
import { canGoOut } from '@capfleet/shared/edit/to-ethernet';
import type { PlanFile, SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import { LINKTYPE_ETHERNET } from '@capfleet/shared/capture/link-type';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { largestTagged, largestUntagged, smallerMtu } from './frame-limit.ts';
import { isHeldWhole } from './merge-file.ts';
import { findPlanned } from './planned-file.ts';
import { linkMtu, linkName, type LinkChoice } from './link.ts';
import type { Interfaces } from './ports/interfaces.ts';

const FILES_AT_ONCE = 32;
/** Open in an agent beside the captures. */
const OTHER_DESCRIPTORS = 64;

export interface PrepareContext {
  readonly link: LinkChoice;
  readonly interfaces: Interfaces;
  readonly source: Source;
  /** Files that this process may have open. */
  readonly openFileLimit: number;
  /** Folders that plans may read from. */
  readonly roots: readonly string[];
  /** Whether plans may be played into the interface of the host's default route, where they ask for that. */
  readonly mayUseDefaultRoute: boolean;
}

/**
 * The agent's own fence, whatever plans say.
 * @throws Failure `sensor-default-route`
 */
export async function checkOwnLink({
  link,
  interfaces,
  mayUseDefaultRoute,
}: Pick<PrepareContext, 'link' | 'interfaces' | 'mayUseDefaultRoute'>): Promise<void> {
  if (mayUseDefaultRoute || !('interface' in link)) return;
  const state = await interfaces.state(link.interface);
  if (state?.defaultRoute === true) throw new Failure('sensor-default-route', { interface: link.interface });
}

/**
 * @throws Failure `interface-missing`, `interface-down`, `sensor-default-route`, `interface-default-route`,
 *   `interface-link-type`, `link-file-source`, `frame-too-large`, `too-many-open-files`, `file-missing`, `file-forbidden`, `file-changed`,
 *   `file-outside-roots`, `tarball-compressed`, those of `openCapture`; the signal's reason
 * @returns the MTU that frames are held against; null where any frame goes
 */
export async function checkPlan(
  plan: SensorPlan,
  context: PrepareContext,
  signal?: AbortSignal,
): Promise<number | null> {
  const mtu = smallerMtu(await checkLink(plan, context), plan.policies.mtu);
  // Which frames a filter leaves over is known only when they are read.
  const refusedOver = plan.policies.oversize === 'fail' && !plan.filter ? mtu : null;
  checkOverlap(plan, context.openFileLimit);
  for (let start = 0; start < plan.files.length; start += FILES_AT_ONCE) {
    signal?.throwIfAborted();
    await Promise.all(
      plan.files
        .slice(start, start + FILES_AT_ONCE)
        .map((file) => checkFile(file, plan.edits, context, refusedOver)),
    );
  }
  return mtu;
}

/** Files that overlap in time are open side by side while they are merged. */
function checkOverlap({ files }: SensorPlan, limit: number): void {
  const spans = files
    .filter((file) => !isHeldWhole(file))
    .map(({ earliest, latest }) => ({ earliest: BigInt(earliest), latest: BigInt(latest) }));
  const atOnce = inferLanes(spans).reduce((most, lane) => Math.max(most, lane + 1), 0);
  const needed = atOnce + OTHER_DESCRIPTORS;
  if (needed > limit) throw new Failure('too-many-open-files', { files: atOnce, limit, needed });
}

async function checkLink(plan: SensorPlan, context: PrepareContext): Promise<number | null> {
  const { link, interfaces } = context;
  if (!('interface' in link)) return null;
  const state = await interfaces.state(link.interface);
  if (!state) {
    throw new Failure('interface-missing', {
      interface: link.interface,
      known: (await interfaces.names()).join(', '),
    });
  }
  if (!state.up) throw new Failure('interface-down', { interface: link.interface });
  await checkOwnLink(context);
  if (state.defaultRoute && !plan.policies.allowDefaultRouteInterface) {
    throw new Failure('interface-default-route', { interface: link.interface });
  }
  if (!state.ethernet) {
    throw new Failure('interface-link-type', {
      path: plan.files[0]?.path ?? 'the set',
      linkType: LINKTYPE_ETHERNET,
      interface: link.interface,
      accepted: 'no Ethernet frames',
    });
  }
  return linkMtu(link, state.mtu);
}

async function checkFile(
  file: PlanFile,
  edits: EditPlan,
  context: PrepareContext,
  mtu: number | null,
): Promise<void> {
  const { path } = file;
  const holder = file.within?.path ?? path;
  // Nobody can have this host ask for objects that it has no business with.
  if (isS3Path(holder) && !(await isInside(holder, context.roots)))
    throw new Failure('file-outside-roots', { path });
  const now = await statPlanned(file, context.source);
  if (!(await isInside(now.path, context.roots))) throw new Failure('file-outside-roots', { path });
  checkUnchanged(file, now);
  if (context.link.kind === 'file' && (await isSameFile(context.link.path, now.path)))
    throw new Failure('link-file-source', { path: now.path });
  const linkTypes = file.linkTypes.length > 0 ? file.linkTypes : await readLinkTypes(file, context.source);
  for (const linkType of linkTypes) {
    if (canGoOut(linkType, edits)) continue;
    throw new Failure('interface-link-type', {
      path,
      linkType,
      interface: linkName(context.link),
      accepted: 'Ethernet (1)',
    });
  }
  const frame = largestOutgoing(file, edits, linkTypes);
  if (mtu !== null && frame !== null && frame > largestTagged(mtu)) {
    throw new Failure('frame-too-large', {
      path,
      frame,
      interface: linkName(context.link),
      limit: largestUntagged(mtu),
      mtu,
      needed: frame - largestUntagged(0),
    });
  }
}

/** Bytes that the largest frame of the file has at least when it goes out; null where the mapping does not tell. */
function largestOutgoing(file: PlanFile, edits: EditPlan, linkTypes: readonly number[]): number | null {
  const { maxCaptured } = file;
  if (maxCaptured === null) return null;
  const largest = edits.padToWire ? Math.max(maxCaptured, file.maxWire ?? 0) : maxCaptured;
  // A capture without an interface has no link type, and no packet.
  if (linkTypes.length === 0) return largest;
  return largest + Math.min(...linkTypes.map((linkType) => leastGrowth(edits, linkType)));
}

/**
 * The file that holds what will be played, as it is now.
 * @throws Failure `tarball-compressed` for a member of a tarball that cannot be read from its place
 */
async function statPlanned(file: PlanFile, source: Source): Promise<SourceFile> {
  try {
    return await statHolder(source, file);
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.code !== 'file-missing' || file.within) throw thrown;
    for (const tarball of tarballsOf(file.path)) {
      const isThere = await source.stat(tarball).catch(() => null);
      if (isThere) throw new Failure('tarball-compressed', { path: file.path, tarball }, { cause: thrown });
    }
    throw thrown;
  }
}

/** Of a file that holds others only its version is known. */
function checkUnchanged({ path, fileSize, version, within }: PlanFile, now: SourceFile): void {
  if (!within && fileSize !== null && now.size !== fileSize) {
    throw new Failure('file-changed', {
      path,
      difference: `${String(now.size)} bytes, mapped with ${String(fileSize)}`,
    });
  }
  if (version !== null && now.version !== version) {
    throw new Failure('file-changed', { path, difference: 'it was written after it was mapped' });
  }
}

/** For mappings that do not tell the link type. */
async function readLinkTypes(file: PlanFile, source: Source): Promise<readonly number[]> {
  const reader = await openCapture(
    await source.open(await findPlanned(source, file), { ahead: 0 }),
    file.path,
  );
  await reader.close();
  return reader.info.linkTypes;
}
