// Captures of any size that take little room: one with real records at both ends and a hole between them, and one
// that is sound from start to end, its payloads holes.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { pcapHeader, plainPcap } from '../../test/support/pcap-writer.ts';

const HEAD_RECORDS = 100;
const PACKET_BYTES = 1000;
const SNAPLEN = 65_535;
const LARGEST_PACKET = 262_144;

/** Records at the end begin where a chain of them reaches the file's end, far enough before it to prove it. */
export function sparseCapture(path: string, size: number): void {
  const header = pcapHeader({ ...plainPcap, snaplen: SNAPLEN });
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([header, records(HEAD_RECORDS, 1_600_000_000)]), 0);
  ftruncateSync(file, size);
  const tail = records(400, 1_600_086_400);
  writeSync(file, tail, 0, tail.length, size - tail.length);
  closeSync(file);
}

/** @returns packets in it */
export function holeyCapture(path: string, size: number): number {
  const file = openSync(path, 'w');
  writeSync(file, pcapHeader({ ...plainPcap, snaplen: LARGEST_PACKET }));
  const record = Buffer.alloc(16);
  record.writeUInt32LE(LARGEST_PACKET, 8);
  record.writeUInt32LE(LARGEST_PACKET, 12);
  let packets = 0;
  let at = 24;
  for (; at < size; at += 16 + LARGEST_PACKET) {
    record.writeUInt32LE(1_600_000_000 + packets, 0);
    writeSync(file, record, 0, 16, at);
    packets += 1;
  }
  ftruncateSync(file, at);
  closeSync(file);
  return packets;
}

function records(count: number, seconds: number): Buffer {
  const bytes = Buffer.alloc(count * (16 + PACKET_BYTES), 0x5a);
  for (let index = 0; index < count; index += 1) {
    const at = index * (16 + PACKET_BYTES);
    bytes.writeUInt32LE(seconds + Math.floor(index / 1000), at);
    bytes.writeUInt32LE((index % 1000) * 1000, at + 4);
    bytes.writeUInt32LE(PACKET_BYTES, at + 8);
    bytes.writeUInt32LE(PACKET_BYTES, at + 12);
  }
  return bytes;
}
