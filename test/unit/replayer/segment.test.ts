// Frames of segmentation offload in software segments: exact bytes, and for any frame that the segments are right by
// themselves and hold together what the frame held. Checksums are held against the tests' own arithmetic.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TcpSegmenter } from '@capfleet/replayer/segment';
import { host, type Host } from '../../support/hosts.ts';
import { addWords, finishChecksum, pseudoHeaderSum } from '../../support/internet-checksum.ts';
import {
  tcpFrame,
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_SYN,
  udpFrame,
  ipv4Fragments,
} from '../../support/frames.ts';

const CWR = 0x80;
const RST = 0x04;
const URG = 0x20;
const v4 = [host('02:00:00:00:00:01', '10.0.0.1'), host('02:00:00:00:00:02', '10.0.0.2')] as const;
const v6 = [host('02:00:00:00:00:01', 'fd00::1'), host('02:00:00:00:00:02', 'fd00::2')] as const;

function split(frame: Buffer, limit: number, wire = frame.length): Buffer[] | null {
  // Not at the start of its buffer, as in a reader's window.
  const window = Buffer.concat([Buffer.from('before'), frame, Buffer.from('behind')]);
  const segmenter = new TcpSegmenter();
  if (!segmenter.begin(window, 6, frame.length, wire, limit)) return null;
  const segments: Buffer[] = [];
  do segments.push(Buffer.from(segmenter.bytes.subarray(0, segmenter.length)));
  while (segmenter.next());
  return segments;
}

function between(ends: readonly [Host, Host], vlan?: number) {
  return { from: ends[0], to: ends[1], fromPort: 443, toPort: 50_000, ...(vlan !== undefined && { vlan }) };
}

const pattern = (bytes: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => i * 7 + (i >> 8)));

interface Parts {
  ip: number;
  tcp: number;
  payload: Buffer;
  sequence: number;
  flags: number;
  identification: number;
}

/** Takes a segment apart, and holds its lengths and checksums. */
function parts(frame: Buffer): Parts {
  let type = 12;
  while ([0x8100, 0x88a8].includes(frame.readUInt16BE(type))) type += 4;
  const ip = type + 2;
  const isIpv4 = frame.readUInt16BE(type) === 0x0800;
  let tcp: number;
  let addresses: [Buffer, Buffer];
  if (isIpv4) {
    tcp = ip + (frame[ip]! & 15) * 4;
    assert.equal(frame.readUInt16BE(ip + 2), frame.length - ip);
    assert.equal(finishChecksum(addWords(frame, ip, tcp, 0)), 0, 'the header checksum holds');
    addresses = [frame.subarray(ip + 12, ip + 16), frame.subarray(ip + 16, ip + 20)];
  } else {
    assert.equal(frame.readUInt16BE(ip + 4), frame.length - ip - 40);
    tcp = ip + 40;
    for (let next = frame[ip + 6]; next !== 6;) {
      next = frame[tcp];
      tcp += (frame[tcp + 1]! + 1) * 8;
    }
    addresses = [frame.subarray(ip + 8, ip + 24), frame.subarray(ip + 24, ip + 40)];
  }
  const sum = pseudoHeaderSum(...addresses, 6, frame.length - tcp);
  assert.equal(finishChecksum(addWords(frame, tcp, frame.length, sum)), 0, 'the TCP checksum holds');
  return {
    ip,
    tcp,
    payload: frame.subarray(tcp + (frame[tcp + 12]! >> 4) * 4),
    sequence: frame.readUInt32BE(tcp + 4),
    flags: frame[tcp + 13]!,
    identification: isIpv4 ? frame.readUInt16BE(ip + 4) : -1,
  };
}

/** Puts `bytes` into a frame, and says so nowhere. */
function insert(frame: Buffer, at: number, bytes: Buffer): Buffer {
  return Buffer.concat([frame.subarray(0, at), bytes, frame.subarray(at)]);
}

describe('a frame of three segments', () => {
  const content = {
    payload: pattern(25),
    sequence: 0xffff_fff5,
    acknowledgement: 77,
    flags: TCP_ACK | TCP_PSH | TCP_FIN | CWR,
  };
  const frame = tcpFrame(between(v4), { ...content, identification: 0xffff });
  const segments = split(frame, 54 + 10)!;

  test('gives these bytes', () => {
    const ethernet = '020000000002' + '020000000001' + '0800';
    const addresses = '0a000001' + '0a000002';
    const ports = '01bbc350';
    const bytes = content.payload.toString('hex');
    assert.deepEqual(
      segments.map((segment) => segment.toString('hex')),
      [
        `${ethernet}45000032ffff0000400666c4${addresses}${ports}fffffff50000004d5090ffff494a0000${bytes.slice(0, 20)}`,
        `${ethernet}4500003200000000400666c4${addresses}${ports}ffffffff0000004d5010ffffea600000${bytes.slice(20, 40)}`,
        `${ethernet}4500002d00010000400666c8${addresses}${ports}000000090000004d5019ffff072d0000${bytes.slice(40)}`,
      ],
    );
  });

  test('counts identification and sequence on, past their end', () => {
    assert.deepEqual(
      segments
        .map((segment) => parts(segment))
        .map(({ sequence, identification }) => [sequence, identification]),
      [
        [0xffff_fff5, 0xffff],
        [0xffff_ffff, 0],
        [9, 1],
      ],
    );
  });

  test('has FIN and PSH in the last one only, CWR in the first one only', () => {
    assert.deepEqual(
      segments.map((segment) => parts(segment).flags),
      [TCP_ACK | CWR, TCP_ACK, TCP_ACK | TCP_PSH | TCP_FIN],
    );
  });

  test('is as it was where it fits, but for its checksums', () => {
    assert.deepEqual(split(frame, 2000), [frame.subarray(0, 79)]);
    const offloaded = Buffer.from(frame);
    offloaded.writeUInt16BE(0, 24);
    offloaded.writeUInt16BE(0xdead, 50);
    assert.deepEqual(split(offloaded, 2000), [frame.subarray(0, 79)]);
  });
});

describe('segments', () => {
  const flags = TCP_ACK | TCP_PSH;

  test('fit, follow one another, and hold the payload, whatever the frame and the MTU', () => {
    fc.assert(
      fc.property(
        fc.record({
          ends: fc.constantFrom(v4, v6),
          vlan: fc.option(fc.nat(4095), { nil: undefined }),
          bytes: fc.integer({ min: 1, max: 60_000 }),
          sequence: fc.nat(0xffff_ffff),
          identification: fc.nat(0xffff),
          flags: fc.nat(255).map((any) => any & ~(TCP_SYN | RST | URG)),
          options: fc.nat(10),
          room: fc.integer({ min: 1, max: 9000 }),
          trailer: fc.nat(8),
        }),
        ({ ends, vlan, bytes, sequence, identification, flags, options, room, trailer }) => {
          fc.pre(bytes / room < 2000);
          const payload = pattern(bytes);
          const plain = tcpFrame(between(ends, vlan), {
            payload,
            sequence,
            acknowledgement: 1,
            flags,
            identification,
          });
          const ip = vlan === undefined ? 14 : 18;
          const tcp = ip + (ends === v4 ? 20 : 40);
          const frame = insert(plain.subarray(0, tcp + 20 + bytes), tcp + 20, Buffer.alloc(4 * options, 1));
          frame[tcp + 12] = (5 + options) << 4;
          const lengthAt = ends === v4 ? ip + 2 : ip + 4;
          frame.writeUInt16BE(frame.readUInt16BE(lengthAt) + 4 * options, lengthAt);
          const header = tcp + 20 + 4 * options;

          const segments = split(Buffer.concat([frame, Buffer.alloc(trailer, 0xff)]), header + room)!;
          assert.equal(segments.length, Math.ceil(bytes / room));
          let offset = 0;
          for (const [index, segment] of segments.entries()) {
            assert.ok(segment.length <= header + room);
            const found = parts(segment);
            assert.equal(found.sequence, (sequence + offset) % 2 ** 32);
            if (ends === v4) assert.equal(found.identification, (identification + index) % 65_536);
            assert.deepEqual(segment.subarray(tcp + 20, header), frame.subarray(tcp + 20, header));
            offset += found.payload.length;
          }
          assert.deepEqual(Buffer.concat(segments.map((segment) => parts(segment).payload)), payload);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('of a packet that tells no length take the rest of the frame', () => {
    const room = 1000;
    for (const ends of [v4, v6]) {
      const payload = pattern(3500);
      const frame = tcpFrame(between(ends), { payload, sequence: 1, acknowledgement: 1, flags });
      frame.writeUInt16BE(0, ends === v4 ? 16 : 18);
      const segments = split(frame, (ends === v4 ? 54 : 74) + room)!;
      assert.deepEqual(Buffer.concat(segments.map((segment) => parts(segment).payload)), payload);
    }
  });

  test('of a frame larger than 64 KiB are of 64 KiB at most, as the length of an IP packet is', () => {
    const payload = pattern(150_000);
    const head = tcpFrame(between(v4), { payload: Buffer.alloc(6), sequence: 1, acknowledgement: 1, flags });
    const frame = Buffer.concat([head.subarray(0, 54), payload]);
    frame.writeUInt16BE(0, 16);
    const segments = split(frame, 200_000)!;
    assert.deepEqual(
      segments.map(({ length }) => length - 14),
      [65_535, 65_535, 150_000 - 2 * 65_495 + 40],
    );
    assert.deepEqual(Buffer.concat(segments.map((segment) => parts(segment).payload)), payload);
  });

  test('of a jumbogram do without its length', () => {
    const payload = pattern(70_000);
    const head = tcpFrame(between(v6), { payload: Buffer.alloc(1), sequence: 1, acknowledgement: 1, flags });
    const jumbo = Buffer.from('0600c20400000000', 'hex');
    jumbo.writeUInt32BE(8 + 20 + payload.length, 4);
    const frame = Buffer.concat([insert(head.subarray(0, 74), 54, jumbo), payload]);
    frame.writeUInt16BE(0, 18);
    frame[20] = 0;
    const segments = split(frame, 1514)!;
    for (const segment of segments) assert.equal(segment[20], 6);
    assert.deepEqual(Buffer.concat(segments.map((segment) => parts(segment).payload)), payload);
    const alike = tcpFrame(between(v6), {
      payload: payload.subarray(0, 1440),
      sequence: 1,
      acknowledgement: 1,
      flags: TCP_ACK,
    });
    assert.deepEqual(segments[0], alike);
  });

  test('keep options of IP and any tags', () => {
    const payload = pattern(100);
    const plain = tcpFrame(between(v4, 5), { payload, sequence: 1, acknowledgement: 1, flags });
    const frame = insert(insert(plain, 38, Buffer.alloc(8, 1)), 12, Buffer.from('88a80007', 'hex'));
    frame[22] = 0x47;
    frame.writeUInt16BE(frame.readUInt16BE(24) + 8, 24);
    const segments = split(frame, 70 + 40)!;
    assert.deepEqual(
      segments.map((segment) => parts(segment).payload.length),
      [40, 40, 20],
    );
    for (const segment of segments) {
      assert.equal(segment.toString('hex', 12, 20), '88a80007' + '81000005');
      assert.deepEqual(segment.subarray(42, 50), Buffer.alloc(8, 1));
    }
  });

  test('of a frame whose end was not captured are those before the hole, and do not end or push', () => {
    const payload = pattern(3000);
    const whole = tcpFrame(between(v4), { payload, sequence: 1, acknowledgement: 1, flags: flags | TCP_FIN });
    const segments = split(whole.subarray(0, 54 + 2500), 54 + 1000, whole.length)!;
    assert.deepEqual(
      segments.map((segment) => [parts(segment).payload.length, parts(segment).flags]),
      [
        [1000, TCP_ACK],
        [1000, TCP_ACK],
        [500, TCP_ACK],
      ],
    );
  });
});

describe('no segments are made of', () => {
  const content = { payload: pattern(3000), sequence: 1, acknowledgement: 1 };
  const tcp = (flags: number): Buffer => tcpFrame(between(v4), { ...content, flags });
  const changed = (at: number, value: number, frame = tcp(TCP_ACK)): Buffer => {
    frame[at] = value;
    return frame;
  };
  const cases: Record<string, Buffer> = {
    'a datagram': udpFrame(between(v4), content),
    'a datagram in IPv6': udpFrame(between(v6), content),
    'a fragment': ipv4Fragments(tcp(TCP_ACK), 2000)[0]!,
    'another protocol than IP': changed(12, 0x09),
    'a frame whose IP is of another version than its type says': changed(14, 0x65),
    'an IP header that is too short': changed(14, 0x44),
    'a TCP header that is too short': changed(46, 0x40),
    'a connection being opened': tcp(TCP_SYN),
    'a connection being reset': tcp(RST),
    'urgent data': tcp(TCP_ACK | URG),
    'a header that is cut off': tcp(TCP_ACK).subarray(0, 53),
    'a tag and nothing else': Buffer.from('0200000000020200000000018100', 'hex'),
    nothing: Buffer.alloc(0),
  };
  for (const [what, frame] of Object.entries(cases)) {
    test(what, () => {
      assert.equal(split(frame, 1514), null);
    });
  }

  test('what leaves no room for payload', () => {
    assert.equal(split(tcp(TCP_ACK), 54), null);
    assert.equal(split(tcp(TCP_ACK), 55)?.length, 3000);
  });

  test('noise, and nothing breaks', () => {
    const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const mutated = fc
      .tuple(
        fc.constantFrom(tcp(TCP_ACK), tcpFrame(between(v6), { ...content, flags: TCP_ACK })),
        fc.nat(80),
        fc.nat(255),
        fc.nat(3000),
      )
      .map(([frame, at, value, cut]) =>
        changed(at, value, Buffer.from(frame)).subarray(0, frame.length - cut),
      );
    fc.assert(
      fc.property(fc.oneof(noise, mutated), fc.integer({ min: 60, max: 1600 }), (frame, limit) => {
        for (const segment of split(frame, limit) ?? []) assert.ok(segment.length <= limit);
      }),
      { numRuns: 2000 },
    );
  });
});
