/** A capture of any size that exists nowhere: its records are made while it is read. */
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { pcapFile, PCAP_HEADER_LENGTH, PCAP_RECORD_HEADER_LENGTH } from './pcap-writer.ts';

export interface MadeCapture {
  size: number;
  packets: number;
  open: () => ByteReader;
}

/** One record over and over, whole records up to about `bytes`. */
export function madeCapture(bytes: number, payload = 1400): MadeCapture {
  const file = pcapFile({}, [{ seconds: 1_600_000_000, fraction: 5, data: Buffer.alloc(payload, 0x5a) }]);
  const record = file.subarray(PCAP_HEADER_LENGTH);
  const packets = Math.floor((bytes - PCAP_HEADER_LENGTH) / (PCAP_RECORD_HEADER_LENGTH + payload));
  const size = PCAP_HEADER_LENGTH + packets * record.length;
  // Many records side by side, so that making them is a few large copies.
  const block = Buffer.concat(Array.from({ length: 100 }, () => record));
  return {
    size,
    packets,
    open() {
      let position = 0;
      return {
        async read(target, offset, length) {
          const count = Math.min(length, size - position);
          let done = 0;
          if (position < PCAP_HEADER_LENGTH) {
            done = file.copy(target, offset, position, Math.min(PCAP_HEADER_LENGTH, position + count));
          }
          while (done < count) {
            const from = (position + done - PCAP_HEADER_LENGTH) % block.length;
            done += block.copy(target, offset + done, from, Math.min(block.length, from + count - done));
          }
          position += count;
          return count;
        },
        get consumed() {
          return position;
        },
        async close() {},
      };
    },
  };
}
