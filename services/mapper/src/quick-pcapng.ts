// The quick map of a pcapng. Every block ends with its length, so the last blocks of a sound file are found backwards
// without a doubt, whatever the packets hold; the interfaces' clocks are those described before the first packets.
// What it does not see is a section, or an interface, that begins in the middle of the file.
import {
  blockAt,
  instantOf,
  INTERFACE_BLOCK,
  interfaceOf,
  isTimedPacket,
  lastBlocks,
  packetOf,
  SECTION_BLOCK,
  sectionHead,
  SIMPLE_PACKET_BLOCK,
  type Block,
  type BlockInterface,
} from '@capfleet/shared/capture/block-walk';
import { MAX_CAPTURED_BYTES } from '@capfleet/shared/capture/packet-bounds';
import type { CaptureInfo } from '@capfleet/shared/capture/packet-reader';
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { toSecondsAndNanos } from '@capfleet/shared/time/nanos';
import { estimateFile, type Sample } from './estimate.ts';
import { readStretchBytes } from './pcap-head.ts';
import { Tally } from './tally.ts';

/** Read at the end beside the longest packet: room for the blocks around it, and for packets to estimate from. */
const BESIDE_BYTES = 32 * 1024;

/**
 * @param head the file's first bytes
 * @param trustSnaplen as in `QuickMapOptions`
 * @returns null where the file is none, or is to be read whole
 */
export async function quickPcapng(
  source: Source,
  file: SourceFile,
  head: Buffer,
  trustSnaplen: boolean,
): Promise<MappedFile | null> {
  const window = viewOf(head);
  const section = sectionHead(window);
  // Every block's length is a multiple of 4: what ends elsewhere is cut off.
  if (!section || file.size % 4 !== 0) return null;
  const { littleEndian, block, length } = section;
  if (length !== null && block.length + length !== file.size) return null;
  const blocks = blocksFrom(window, block.length, littleEndian);
  const interfaces = interfacesOf(window, blocks, littleEndian);
  const firstPacket = blocks.findIndex(isTimedPacket);
  if (!interfaces || firstPacket < 0) return null;
  const first = sample(window, blocks.slice(firstPacket), littleEndian, interfaces);

  if (!first) return null;
  const info = describe(interfaces, littleEndian);
  const believed = trustSnaplen && info.snaplen > 0 && first.tally.maxCaptured <= info.snaplen;
  const longest = believed ? Math.min(info.snaplen, MAX_CAPTURED_BYTES) : MAX_CAPTURED_BYTES;
  const from = file.size - 4 * Math.ceil(longest / 4) - BESIDE_BYTES;
  if (from <= head.length) return null;
  const tail = viewOf(await readStretchBytes(source, file, from, file.size - from));
  const ends = lastBlocks(tail, littleEndian);
  if (!ends || isDoubtful(tail, ends[0]?.offset ?? tail.byteLength, littleEndian, interfaces)) return null;
  // Interfaces described here have numbers that depend on how many were in the middle.
  if (ends.some(({ type }) => type === INTERFACE_BLOCK)) return null;
  const last = sample(tail, ends, littleEndian, interfaces);
  const packetBytes = file.size - (blocks[firstPacket] as Block).offset;
  return last && estimateFile(file, info, packetBytes, first, last);
}

/** The blocks from an offset on, as far as they lie in the window whole. */
function blocksFrom(window: DataView, offset: number, littleEndian: boolean): Block[] {
  const blocks: Block[] = [];
  for (let at = offset; ;) {
    const block = blockAt(window, at, littleEndian);
    if (!block) return blocks;
    blocks.push(block);
    at += block.length;
  }
}

function interfacesOf(
  window: DataView,
  blocks: readonly Block[],
  littleEndian: boolean,
): BlockInterface[] | null {
  const interfaces = blocks
    .filter(({ type }) => type === INTERFACE_BLOCK)
    .map((block) => interfaceOf(window, block, littleEndian));
  return interfaces.every((entry) => entry !== null) ? interfaces : null;
}

/** The packets in blocks; null where there is none, or one without a stamp or of an unknown interface. */
function sample(
  window: DataView,
  blocks: readonly Block[],
  littleEndian: boolean,
  interfaces: readonly BlockInterface[],
): Sample | null {
  const tally = new Tally();
  let bytes = 0;
  for (const block of blocks) {
    bytes += block.length;
    if (block.type === SECTION_BLOCK || block.type === SIMPLE_PACKET_BLOCK) return null;
    if (!isTimedPacket(block)) continue;
    const packet = packetOf(window, block, littleEndian);
    const clock = packet && interfaces[packet.interfaceId];
    if (!clock) return null;
    const instant = toSecondsAndNanos(instantOf(clock, packet.ticks));
    tally.take({
      ...instant,
      timed: true,
      capturedLength: packet.capturedLength,
      wireLength: packet.wireLength,
    });
  }
  return tally.packets === 0 ? null : { tally: tally.toRecord(), bytes, warnings: [] };
}

/**
 * True where a packet block seems to begin before the first of the last blocks: in a file that is cut off it would be
 * the true one, and the blocks would be inside of its packet.
 */
function isDoubtful(
  window: DataView,
  until: number,
  littleEndian: boolean,
  interfaces: readonly BlockInterface[],
): boolean {
  for (let offset = 0; offset < until && offset + 28 <= window.byteLength; offset += 4) {
    const block = {
      type: window.getUint32(offset, littleEndian),
      offset,
      length: window.getUint32(offset + 4, littleEndian),
    };
    if (!isTimedPacket(block) || block.length % 4 !== 0) continue;
    const packet = packetOf(window, block, littleEndian);
    if (packet && packet.interfaceId < interfaces.length) return true;
  }
  return false;
}

function describe(interfaces: readonly BlockInterface[], littleEndian: boolean): CaptureInfo {
  const snaplens = interfaces.map(({ snaplen }) => snaplen);
  const [resolution = 'us', ...others] = new Set(interfaces.map(resolutionOf));
  return {
    format: 'pcapng',
    compression: 'none',
    byteOrder: littleEndian ? 'little' : 'big',
    resolution: others.length > 0 ? 'mixed' : resolution,
    snaplen: snaplens.includes(0) ? 0 : Math.max(...snaplens),
    linkTypes: [...new Set(interfaces.map(({ linkType }) => linkType))],
  };
}

function resolutionOf({ base, exponent }: BlockInterface): string {
  if (base === 10 && exponent === 6) return 'us';
  if (base === 10 && exponent === 9) return 'ns';
  return `${String(base)}^-${String(exponent)}`;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
