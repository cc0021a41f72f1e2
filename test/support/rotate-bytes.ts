/**
 * Sizes for the files of capture threads that lead to a wanted number of files in each thread, however unevenly
 * the flows fall: the packets are weighed by thread first, so they are gone through once more than for writing.
 */
import { threadOf } from './capture-threads.ts';
import { PCAP_HEADER_LENGTH, PCAP_RECORD_HEADER_LENGTH } from './pcap-writer.ts';
import type { TimedPacket } from './timed-packets.ts';

/** One number for all threads, or one for each. Threads that find few moments to rotate make fewer files. */
export function rotateBytesFor(
  packets: Iterable<TimedPacket>,
  threads: number,
  files: number | readonly number[],
): number[] {
  const bytes = new Array<number>(threads).fill(0);
  for (const { data } of packets) {
    const thread = threadOf(data, threads);
    bytes[thread] = (bytes[thread] ?? 0) + PCAP_RECORD_HEADER_LENGTH + data.length;
  }
  return bytes.map((sum, thread) => {
    const wanted = typeof files === 'number' ? files : (files[thread] ?? 1);
    return PCAP_HEADER_LENGTH + Math.floor(sum / wanted);
  });
}
