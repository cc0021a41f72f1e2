/**
 * Captures whose packets are made to mislead who looks at the file from anywhere but its start: filled with zeros or
 * ones, with whole captures of the same byte order and the same time, one in another; and files that end badly. Sizes,
 * order and times of the records are any.
 */
import fc from 'fast-check';
import {
  PCAP_HEADER_LENGTH,
  PCAP_RECORD_HEADER_LENGTH,
  pcapFile,
  type PcapHeader,
  type PcapRecord,
} from './pcap-writer.ts';

export interface HostileOptions {
  maxRecords: number;
  maxPayload: number;
  minRecords?: number;
  /** Stamps that only go forward, as most captures have them. */
  ordered?: boolean;
  snaplen?: number;
}

export interface HostileCapture {
  bytes: Buffer;
  header: PcapHeader;
  /** How the file ends. */
  ending: 'whole' | 'cut' | 'garbage' | 'appended';
}

const BEGIN = 1_600_000_000;

/** One packet's making: what fills it, and how much of it. */
interface Packet {
  fill: 'zeros' | 'ones' | 'random' | 'capture' | 'capture-inside';
  size: number;
  random: Uint8Array;
  seconds: number;
  fraction: number;
  more: number;
}

export function hostileCapture(options: HostileOptions): fc.Arbitrary<HostileCapture> {
  const { maxRecords, maxPayload, minRecords = 0, ordered = false, snaplen = 262_144 } = options;
  const packet: fc.Arbitrary<Packet> = fc.record({
    fill: fc.constantFrom('zeros', 'ones', 'random', 'capture', 'capture-inside'),
    size: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: maxPayload })),
    random: fc.uint8Array({ minLength: 64, maxLength: 64 }),
    seconds: fc.integer({ min: 0, max: 5 }),
    fraction: fc.integer({ min: 0, max: 999_999 }),
    more: fc.constantFrom(0, 0, 0, 100_000),
  });
  return fc
    .record({
      packets: fc.array(packet, { minLength: minRecords, maxLength: maxRecords }),
      magic: fc.constantFrom('us' as const, 'ns' as const),
      byteOrder: fc.constantFrom('le' as const, 'be' as const),
      ending: fc.constantFrom(
        'whole' as const,
        'whole' as const,
        'cut' as const,
        'garbage' as const,
        'appended' as const,
      ),
      cut: fc.nat(),
      garbage: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    })
    .map(({ packets, magic, byteOrder, ending, cut, garbage }) => {
      const header: PcapHeader = { magic, byteOrder, snaplen, linkType: 1 };
      let seconds = BEGIN;
      const list = packets.map((made, index): PcapRecord => {
        // Packets that move on as the real ones do, or jump about.
        seconds = ordered ? BEGIN + index * 6 + made.seconds : BEGIN + made.seconds;
        const data = contentOf(made, { ...header }, seconds);
        return { seconds, fraction: made.fraction, data, wireLength: Math.max(1, data.length + made.more) };
      });
      const whole = pcapFile(header, list);
      const bytes = endAs(whole, header, ending, cut, Buffer.from(garbage), list.at(-1));
      const made = packets.map(({ fill, size }) => `${size} of ${fill}`).join(', ');
      // Its bytes would fill the screen.
      return { bytes, header, ending, [fc.toStringMethod]: () => `${magic} ${byteOrder} ${ending}: ${made}` };
    });
}

function contentOf({ fill, size, random, fraction }: Packet, header: PcapHeader, seconds: number): Buffer {
  switch (fill) {
    case 'zeros':
      return Buffer.alloc(size);
    case 'ones':
      return Buffer.alloc(size, 0xff);
    case 'random':
      return Buffer.from(Array.from({ length: size }, (_, i) => (random[i % 64] ?? 0) ^ ((i * 31) >> 6)));
    case 'capture':
    case 'capture-inside': {
      if (size < PCAP_HEADER_LENGTH + 16) return Buffer.alloc(size, 1);
      // Two or three records that fill the rest exactly; the last of them may hold yet another capture.
      const room = size - PCAP_HEADER_LENGTH;
      const count = Math.max(1, Math.min(1 + ((random[0] ?? 0) % 12), Math.floor(room / 16)));
      const each = Math.floor((room - 16 * count) / count);
      const inner = Array.from({ length: count }, (_, i): PcapRecord => {
        const length = i === count - 1 ? room - 16 * count - each * (count - 1) : each;
        const deeper = fill === 'capture-inside' && i === count - 1 ? 'capture-inside' : 'zeros';
        const data = contentOf(
          { fill: deeper, size: length, random, seconds: 0, fraction, more: 0 },
          header,
          seconds,
        );
        return { seconds, fraction: Math.min(999_999, fraction + i), data, wireLength: Math.max(1, length) };
      });
      return pcapFile(header, inner);
    }
  }
}

function endAs(
  whole: Buffer,
  header: PcapHeader,
  ending: HostileCapture['ending'],
  cut: number,
  garbage: Buffer,
  last: PcapRecord | undefined,
): Buffer {
  switch (ending) {
    case 'whole':
      return whole;
    case 'cut':
      return cutLast(whole, cut, header, last);
    case 'garbage':
      return Buffer.concat([whole, garbage]);
    case 'appended':
      return Buffer.concat([whole, whole]);
  }
}

/**
 * The last record lacks something: its end, so that what it holds is cut as well, or more than ever was there, so that
 * a capture which it holds ends with the file.
 */
function cutLast(whole: Buffer, cut: number, header: PcapHeader, last: PcapRecord | undefined): Buffer {
  if (!last || last.data.length === 0) return whole;
  if (cut % 2 === 0) return whole.subarray(0, whole.length - 1 - (cut % last.data.length));
  const claimed = { ...last, data: Buffer.alloc(last.data.length + 1 + (cut % 1000)), wireLength: 100_000 };
  const record = pcapFile(header, [claimed]).subarray(PCAP_HEADER_LENGTH);
  const copy = Buffer.from(whole);
  record.copy(
    copy,
    whole.length - last.data.length - PCAP_RECORD_HEADER_LENGTH,
    0,
    PCAP_RECORD_HEADER_LENGTH,
  );
  return copy;
}
