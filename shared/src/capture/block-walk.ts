// Blocks of a pcapng (draft-ietf-opsawg-pcapng) in a stretch of the file: one at an offset, those at its end found by
// walking backwards over the lengths that end each block, the packets in them. Pure; it judges nothing but
// a block's own frame.
import { blockTypes } from './pcapng-blocks.ts';

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type, length, and the length again at the end. */
const FRAME_BYTES = 12;
/** What a packet block has beside its packet and options. */
const PACKET_FRAME_BYTES = 32;

export interface Block {
  readonly type: number;
  /** In the window. */
  readonly offset: number;
  readonly length: number;
}

export interface BlockPacket {
  readonly interfaceId: number;
  /** Upper and lower 32 bits of the stamp. */
  readonly high: number;
  readonly low: number;
  readonly capturedLength: number;
  readonly wireLength: number;
}

export interface SectionHead {
  readonly littleEndian: boolean;
  /** Bytes of the section behind its header; null where it does not say. */
  readonly length: number | null;
}

/** The block that begins at an offset, or null where none does or not all of it is in the window. */
export function blockAt(window: DataView, offset: number, littleEndian: boolean): Block | null {
  if (offset < 0 || offset + FRAME_BYTES > window.byteLength) return null;
  const length = window.getUint32(offset + 4, littleEndian);
  if (length < FRAME_BYTES || length % 4 !== 0 || offset + length > window.byteLength) return null;
  if (window.getUint32(offset + length - 4, littleEndian) !== length) return null;
  return { type: window.getUint32(offset, littleEndian), offset, length };
}

/**
 * The blocks at the window's end, in file order: all that lie in it whole.
 * @returns null where what ends there, or where one of them begins, is no block
 */
export function lastBlocks(window: DataView, littleEndian: boolean): Block[] | null {
  const blocks: Block[] = [];
  for (let end = window.byteLength; end >= 4;) {
    const length = window.getUint32(end - 4, littleEndian);
    if (length < FRAME_BYTES || length % 4 !== 0) return null;
    if (length > end) break;
    const block = blockAt(window, end - length, littleEndian);
    if (!block) return null;
    blocks.push(block);
    end = block.offset;
  }
  return blocks.reverse();
}

/** What a section header says that is the window's first block; null where it is none of version 1. */
export function sectionHead(window: DataView): (SectionHead & { readonly block: Block }) | null {
  if (window.byteLength < 28 || window.getUint32(0) !== blockTypes.section) return null;
  const littleEndian = window.getUint32(8, true) === BYTE_ORDER_MAGIC;
  const block = blockAt(window, 0, littleEndian);
  if (!block || block.length < 28 || window.getUint32(8, littleEndian) !== BYTE_ORDER_MAGIC) return null;
  if (window.getUint16(12, littleEndian) !== 1) return null;
  const length = window.getBigInt64(16, littleEndian);
  return { littleEndian, block, length: length < 0n ? null : Number(length) };
}

export function isTimedPacket({ type }: Pick<Block, 'type'>): boolean {
  return type === blockTypes.enhancedPacket || type === blockTypes.obsoletePacket;
}

/**
 * The packet in a block that `isTimedPacket`.
 * @param block its end may lie behind the window, its first 28 bytes not
 * @returns null where it claims more than the block holds
 */
export function packetOf(window: DataView, block: Block, littleEndian: boolean): BlockPacket | null {
  const { type, offset, length } = block;
  if (length < PACKET_FRAME_BYTES) return null;
  const capturedLength = window.getUint32(offset + 20, littleEndian);
  if (capturedLength > length - PACKET_FRAME_BYTES) return null;
  return {
    interfaceId:
      type === blockTypes.obsoletePacket
        ? window.getUint16(offset + 8, littleEndian)
        : window.getUint32(offset + 8, littleEndian),
    high: window.getUint32(offset + 12, littleEndian),
    low: window.getUint32(offset + 16, littleEndian),
    capturedLength,
    wireLength: window.getUint32(offset + 24, littleEndian),
  };
}
