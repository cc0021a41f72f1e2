/**
 * Frames through the editor, and a judge of their checksums that shares no code with it: it parses a frame its own
 * way and sums everything anew.
 */
import assert from 'node:assert/strict';
import { noEdits, type EditPlan } from '@capfleet/shared/edit/edit-plan';
import { createFrameEditor, type EditablePacket } from '@capfleet/shared/edit/frame-editor';
import { addWords, finishChecksum, pseudoHeaderSum } from './internet-checksum.ts';

export interface EditedFrame {
  /** Null where the packet cannot go out. */
  bytes: Buffer | null;
  refusal: string | null;
  wireLength: number;
  changed: boolean;
}

/** A packet somewhere in the window of a reader, whose other bytes nobody may look at. */
export function packetOf(frame: Uint8Array, linkType = 1, wireLength = frame.length): EditablePacket {
  const dataStart = 37;
  const window = Buffer.alloc(dataStart + frame.length + 99, 0xee);
  window.set(frame, dataStart);
  return { linkType, window, dataStart, capturedLength: frame.length, wireLength };
}

/** @param loop which of them, 0 is the first */
export function editFrame(
  plan: Partial<EditPlan>,
  frame: Uint8Array,
  { linkType = 1, wireLength = frame.length, loop = 0 } = {},
): EditedFrame {
  const editor = createFrameEditor({ ...noEdits, ...plan });
  editor.enterLoop(loop);
  const packet = packetOf(frame, linkType, wireLength);
  const before = Buffer.from(packet.window);
  const refusal = editor.edit(packet);
  assert.ok(packet.window.equals(before), 'the window is left as it is');
  if (refusal !== null) return { bytes: null, refusal, wireLength: 0, changed: false };
  const { bytes, start, length, changed } = editor;
  return {
    bytes: Buffer.from(bytes.subarray(start, start + length)),
    refusal,
    wireLength: editor.wireLength,
    changed,
  };
}

/** The bytes of a frame that goes out. */
export function outgoing(plan: Partial<EditPlan>, frame: Uint8Array, options = {}): Buffer {
  const { bytes, refusal } = editFrame(plan, frame, options);
  assert.equal(refusal, null);
  assert.ok(bytes);
  return bytes;
}

/** Checks every checksum of a frame that holds a whole packet of TCP, UDP or ICMPv6 without extension headers. */
export function assertChecksums(frame: Buffer): void {
  let at = 12;
  while ([0x8100, 0x88a8].includes(frame.readUInt16BE(at))) at += 4;
  const isIpv4 = frame.readUInt16BE(at) === 0x0800;
  const ip = at + 2;
  const header = isIpv4 ? (frame.readUInt8(ip) & 15) * 4 : 40;
  if (isIpv4) assert.equal(finishChecksum(addWords(frame, ip, ip + header, 0)), 0, 'IPv4 header checksum');
  const segment = ip + header;
  const end = isIpv4 ? ip + frame.readUInt16BE(ip + 2) : segment + frame.readUInt16BE(ip + 4);
  const protocol = frame.readUInt8(isIpv4 ? ip + 9 : ip + 6);
  const [from, to, size] = isIpv4 ? [ip + 12, ip + 16, 4] : [ip + 8, ip + 24, 16];
  const pseudo = pseudoHeaderSum(
    frame.subarray(from, from + size),
    frame.subarray(to, to + size),
    protocol,
    end - segment,
  );
  assert.equal(finishChecksum(addWords(frame, segment, end, pseudo)), 0, `checksum of protocol ${protocol}`);
}
