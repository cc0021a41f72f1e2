/**
 * A gzip capture that is small on disk and takes a mapper long: one block of records, compressed once and repeated
 * as further members of the file (RFC 1952, 2.2), so that it is made in no time.
 */
import { gzipSync } from 'node:zlib';
import { pcapHeader, plainPcap, putPcapRecord, PCAP_RECORD_HEADER_LENGTH } from './pcap-writer.ts';

const DATA = 64;
const RECORD = PCAP_RECORD_HEADER_LENGTH + DATA;
const RECORDS_PER_BLOCK = 50_000;

/** A mapper needs some 6 ms of a core for each of the blocks, which hold 50,000 packets of one stamp. */
export function longCapture(blocks: number): { file: Buffer; packets: number } {
  const block = Buffer.alloc(RECORD * RECORDS_PER_BLOCK);
  const record = { seconds: 1_700_000_000, fraction: 0, data: Buffer.alloc(DATA, 1) };
  for (let offset = 0; offset < block.length;) {
    offset = putPcapRecord(block, offset, record, plainPcap.byteOrder);
  }
  const member = gzipSync(block, { level: 1 });
  const members = new Array<Buffer>(blocks).fill(member);
  return {
    file: Buffer.concat([gzipSync(pcapHeader(plainPcap)), ...members]),
    packets: blocks * RECORDS_PER_BLOCK,
  };
}
