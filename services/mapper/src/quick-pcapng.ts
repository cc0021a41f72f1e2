// The quick map of a pcapng. Every block ends with its length, so the last blocks of a sound file are found backwards
// without a doubt, whatever the packets hold; the interfaces' clocks are those described before the first packets.
// What it does not see is a section, or an interface, that begins in the middle of the file.
import {
  blockAt,
  isTimedPacket,
  lastBlocks,
  packetOf,
  sectionHead,
  type Block,
} from '@capfleet/shared/capture/block-walk';
import { MAX_CAPTURED_BYTES } from '@capfleet/shared/capture/packet-bounds';
import { blockTypes } from '@capfleet/shared/capture/pcapng-blocks';
import { InterfaceTable, readInterface } from '@capfleet/shared/capture/pcapng-interfaces';
import type { CaptureInfo } from '@capfleet/shared/capture/packet-reader';
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
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
  if (ends.some(({ type }) => type === blockTypes.interface)) return null;
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

/** The interfaces that are described in the blocks; null where one of them is damaged. */
function interfacesOf(
  window: DataView,
  blocks: readonly Block[],
  littleEndian: boolean,
): InterfaceTable | null {
  const table = new InterfaceTable();
  for (const { type, offset, length } of blocks) {
    if (type !== blockTypes.interface) continue;
    const described = readInterface(window, offset + 8, offset + length - 4, littleEndian);
    if (typeof described === 'string') return null;
    table.add(described);
  }
  return table;
}

/** The packets in blocks; null where there is none, or one without a stamp or of an unknown interface. */
function sample(
  window: DataView,
  blocks: readonly Block[],
  littleEndian: boolean,
  interfaces: InterfaceTable,
): Sample | null {
  const tally = new Tally();
  let bytes = 0;
  for (const block of blocks) {
    bytes += block.length;
    if (block.type === blockTypes.section || block.type === blockTypes.simplePacket) return null;
    if (!isTimedPacket(block)) continue;
    const packet = packetOf(window, block, littleEndian);
    const clock = packet && interfaces.current[packet.interfaceId]?.clock;
    if (!packet || !clock?.convert(packet.high, packet.low)) return null;
    tally.take({
      seconds: clock.seconds,
      nanos: clock.nanos,
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
  interfaces: InterfaceTable,
): boolean {
  for (let offset = 0; offset < until && offset + 28 <= window.byteLength; offset += 4) {
    const block = {
      type: window.getUint32(offset, littleEndian),
      offset,
      length: window.getUint32(offset + 4, littleEndian),
    };
    if (!isTimedPacket(block) || block.length % 4 !== 0) continue;
    const packet = packetOf(window, block, littleEndian);
    if (packet && packet.interfaceId < interfaces.current.length) return true;
  }
  return false;
}

function describe({ resolution, snaplen, linkTypes }: InterfaceTable, littleEndian: boolean): CaptureInfo {
  const byteOrder = littleEndian ? 'little' : 'big';
  return { format: 'pcapng', compression: 'none', byteOrder, resolution, snaplen, linkTypes };
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
