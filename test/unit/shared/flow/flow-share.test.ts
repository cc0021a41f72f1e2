// Which conversation a packet belongs to, whatever is around it, and that conversations fall evenly into shares.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FlowShare, flowShareSchema, type FlowSharePlan } from '@capfleet/shared/flow/flow-share';
import { shareOf } from '@capfleet/shared/flow/hash';
import { packetOf } from '../../../support/edit-frames.ts';
import * as layer from '../../../support/packet-layers.ts';
import { back, ethernet, ipv4, ipv6, join, tcp, udp, type Ends } from '../../../support/packet-layers.ts';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const BRIDGED = 0x6558;
const TCP = 6;
const UDP = 17;

const hosts: Ends = { a: [10, 0, 0, 1], b: [10, 0, 0, 2] };
const tunnelEnds: Ends = { a: [192, 0, 2, 1], b: [192, 0, 2, 2] };
const six = (last: number): number[] => [0xfd, ...Array<number>(14).fill(0), last];
const hosts6: Ends = { a: six(1), b: six(2) };

const share = (tunnels: FlowSharePlan['tunnels'] = 'inner'): FlowShare =>
  new FlowShare({ index: 0, of: 2, tunnels });
const hashesOf = (
  frames: readonly Uint8Array[],
  tunnels: FlowSharePlan['tunnels'] = 'inner',
  linkType = 1,
): number[] => {
  const flows = share(tunnels);
  return frames.map((frame) => flows.hashOf(packetOf(frame, linkType)));
};
const assertTogether = (frames: readonly Uint8Array[], tunnels?: FlowSharePlan['tunnels']): void => {
  assert.equal(new Set(hashesOf(frames, tunnels)).size, 1);
};
const assertApart = (frames: readonly Uint8Array[], tunnels?: FlowSharePlan['tunnels']): void => {
  assert.equal(new Set(hashesOf(frames, tunnels)).size, frames.length);
};

const there = ipv4(hosts, TCP, tcp(1234, 80));
const answer = ipv4(back(hosts), TCP, tcp(80, 1234));
const there6 = ipv6(hosts6, TCP, tcp(1234, 80));
const answer6 = ipv6(back(hosts6), TCP, tcp(80, 1234));

describe('a conversation', () => {
  test('is two addresses, a protocol and two ports, whoever speaks', () => {
    assertTogether([ethernet(IPV4, there), ethernet(IPV4, answer, back(layer.MACS))]);
    assertTogether([ethernet(IPV6, there6), ethernet(IPV6, answer6)]);
    assertApart([
      ethernet(IPV4, there),
      ethernet(IPV4, ipv4(hosts, UDP, udp(1234, 80))),
      ethernet(IPV4, ipv4(hosts, TCP, tcp(1235, 80))),
      ethernet(IPV4, ipv4(hosts, TCP, tcp(80, 1234))),
      ethernet(IPV4, ipv4({ ...hosts, b: [10, 0, 0, 3] }, TCP, tcp(1234, 80))),
      ethernet(IPV6, there6),
      ethernet(IPV6, ipv6({ ...hosts6, b: six(3) }, TCP, tcp(1234, 80))),
    ]);
  });

  for (const protocol of [33, 132, 136]) {
    test(`of protocol ${protocol} has ports`, () => {
      const of = (ends: Ends, from: number, to: number): Buffer =>
        ethernet(IPV4, ipv4(ends, protocol, udp(from, to)));
      assertTogether([of(hosts, 7, 8), of(back(hosts), 8, 7)]);
      assertApart([of(hosts, 7, 8), of(hosts, 7, 9)]);
    });
  }

  test('of another protocol has none', () => {
    assertTogether([
      ethernet(IPV4, ipv4(hosts, 50, udp(1, 2))),
      ethernet(IPV4, ipv4(back(hosts), 50, udp(3, 4))),
    ]);
  });

  test('is seen behind extension headers, tags, labels and PPPoE, and without Ethernet', () => {
    assertTogether([
      ethernet(IPV4, there),
      ethernet(IPV4, there, layer.MACS, [0x8100, 5]),
      ethernet(IPV4, answer, layer.MACS, [0x88a8, 6], [0x8100, 7]),
      ethernet(0x8847, layer.mpls(there, 16, 17)),
      ethernet(0x8848, layer.mpls(answer, 18)),
      ethernet(0x8847, layer.mpls(join([0, 0, 0, 0], ethernet(IPV4, answer)), 19)),
      ethernet(0x8847, layer.mpls(ethernet(IPV4, answer), 19)),
      ethernet(0x8864, layer.pppoe(0x0021, there)),
    ]);
    assertTogether([
      ethernet(IPV6, there6),
      ethernet(IPV6, ipv6(back(hosts6), TCP, tcp(80, 1234), { before: [0, 60] })),
      ethernet(0x8864, layer.pppoe(0x0057, answer6), layer.MACS, [0x8100, 5]),
    ]);
    const [plain] = hashesOf([ethernet(IPV4, there)]);
    const cooked = join([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], answer);
    assert.deepEqual(hashesOf([there, answer], 'inner', 101), [plain, plain]);
    assert.deepEqual(hashesOf([cooked], 'inner', 113), [plain]);
    assert.deepEqual(hashesOf([join([2, 0, 0, 0], answer)], 'inner', 0), [plain]);
  });

  test('has the errors that quote it', () => {
    const router: Ends = { a: [10, 9, 9, 9], b: hosts.a };
    const cut = there.subarray(0, 28);
    assertTogether([ethernet(IPV4, there), ethernet(IPV4, ipv4(router, 1, layer.icmp(11, cut)))]);
    const router6: Ends = { a: six(9), b: hosts6.a };
    assertTogether([ethernet(IPV6, there6), ethernet(IPV6, ipv6(router6, 58, layer.icmp(2, there6)))]);
    // An echo has what looks like a packet, and quotes nothing.
    assertApart([ethernet(IPV4, there), ethernet(IPV4, ipv4(router, 1, layer.icmp(8, cut)))]);
  });
});

describe('a fragment', () => {
  const first = ipv4(hosts, UDP, udp(5, 6, Buffer.alloc(16)), { id: 9, more: true });
  const later = ipv4(hosts, UDP, Buffer.alloc(24, 1), { id: 9, offset: 3 });
  const first6 = ipv6(hosts6, UDP, udp(5, 6, Buffer.alloc(16)), { fragment: { id: 9, more: true } });
  const later6 = ipv6(hosts6, UDP, Buffer.alloc(24, 1), { fragment: { id: 9, offset: 3 } });

  test('goes with the first one of its packet, and so with its conversation', () => {
    const answered = ethernet(IPV4, ipv4(back(hosts), UDP, udp(6, 5)));
    assertTogether([answered, ethernet(IPV4, first), ethernet(IPV4, later), ethernet(IPV4, later)]);
    assertTogether([ethernet(IPV6, first6), ethernet(IPV6, later6)]);
  });

  test('of which no first one was seen goes by addresses and protocol', () => {
    const bare = ethernet(IPV4, ipv4(back(hosts), UDP, Buffer.alloc(3)));
    assertTogether([ethernet(IPV4, later), bare]);
    const other = ipv4(hosts, UDP, Buffer.alloc(24), { id: 10, offset: 3 });
    assertTogether([ethernet(IPV4, later), ethernet(IPV4, other)]);
    const hashes = hashesOf([first, later, other].map((packet) => ethernet(IPV4, packet)));
    assert.equal(hashes[0], hashes[1]);
    assert.notEqual(hashes[0], hashes[2]);
  });

  test('is not taken for one of another packet, and each loop begins anew', () => {
    const others = [
      ipv4(back(hosts), UDP, Buffer.alloc(24), { id: 9, offset: 3 }),
      ipv4(hosts, TCP, Buffer.alloc(24), { id: 9, offset: 3 }),
    ];
    const [hash, ...hashes] = hashesOf([first, ...others].map((packet) => ethernet(IPV4, packet)));
    assert.ok(!hashes.includes(hash!));
    const flows = share();
    const ask = (packet: Buffer): number => flows.hashOf(packetOf(ethernet(IPV4, packet)));
    const alone = ask(later);
    assert.equal(ask(first), ask(later));
    flows.enterLoop();
    assert.equal(ask(later), alone);
  });

  test('of a tunnel goes with what its first one carries', () => {
    const carried = layer.vxlan(ethernet(IPV4, there));
    const whole = udp(40_000, 4789, carried);
    const head = ethernet(IPV4, ipv4(tunnelEnds, UDP, whole.subarray(0, 80), { id: 3, more: true }));
    const tail = ethernet(IPV4, ipv4(tunnelEnds, UDP, whole.subarray(80), { id: 3, offset: 10 }));
    assertTogether([ethernet(IPV4, there), head, tail]);
  });

  test('is remembered among so many others', () => {
    const flows = share();
    let kept = 0;
    const packets = Array.from({ length: 1000 }, (_, id) => id);
    const hashes = packets.map((id) =>
      flows.hashOf(packetOf(ethernet(IPV4, ipv4(hosts, UDP, udp(id, 6), { id, more: true })))),
    );
    for (const id of packets) {
      const packet = ipv4(hosts, UDP, Buffer.alloc(8), { id, offset: 3 });
      if (flows.hashOf(packetOf(ethernet(IPV4, packet))) === hashes[id]) kept += 1;
    }
    assert.ok(kept > 950, `${kept} of 1000`);
  });
});

describe('a tunnel', () => {
  const outer = (protocol: number, payload: Uint8Array, ends = tunnelEnds): Buffer =>
    ethernet(IPV4, ipv4(ends, protocol, payload));
  const kinds: [string, (packet: Uint8Array, way: 0 | 1) => Buffer][] = [
    ['IP in IP', (packet, way) => outer(4, packet, way ? back(tunnelEnds) : tunnelEnds)],
    ['GRE', (packet, way) => outer(47, layer.gre(IPV4, packet, way ? 0xb000 : 0))],
    ['GRE with frames', (packet) => outer(47, layer.gre(BRIDGED, ethernet(IPV4, packet)))],
    [
      'ERSPAN II',
      (packet) => outer(47, layer.gre(0x88be, join(Buffer.alloc(8), ethernet(IPV4, packet)), 0x1000)),
    ],
    [
      'ERSPAN III',
      (packet, way) => {
        const header = Buffer.alloc(way ? 20 : 12);
        header[11] = way;
        return outer(47, layer.gre(0x22eb, join(header, ethernet(IPV4, packet)), 0x1000));
      },
    ],
    // The source port is another for each flow in it, and for each direction.
    [
      'VXLAN',
      (packet, way) => outer(UDP, udp(way ? 50_001 : 50_000, 4789, layer.vxlan(ethernet(IPV4, packet)))),
    ],
    [
      'GENEVE',
      (packet, way) =>
        outer(UDP, udp(50_000 + way, 6081, layer.geneve(BRIDGED, ethernet(IPV4, packet), way))),
    ],
    ['GENEVE without frames', (packet) => outer(UDP, udp(50_000, 6081, layer.geneve(IPV4, packet)))],
    ['GTP-U', (packet, way) => outer(UDP, udp(2152 + way, 2152, layer.gtp(packet, way === 1)))],
  ];
  const elsewhere = ipv4(hosts, TCP, tcp(4321, 80));

  for (const [name, wrap] of kinds) {
    test(`(${name}) is shared by the conversations in it, or goes as one`, () => {
      assertTogether([ethernet(IPV4, there), wrap(there, 0), wrap(answer, 1)]);
      assertApart([wrap(there, 0), wrap(elsewhere, 0)]);
      assertTogether([wrap(there, 0), wrap(answer, 1), wrap(elsewhere, 0)], 'outer');
      assertApart([wrap(there, 0), ethernet(IPV4, there)], 'outer');
    });
  }

  test('in a tunnel, and IPv6 in IPv4, are seen through', () => {
    const inner = ipv4(tunnelEnds, 47, layer.gre(IPV4, answer));
    assertTogether([ethernet(IPV4, there), outer(UDP, udp(1, 4789, layer.vxlan(ethernet(IPV4, inner))))]);
    assertTogether([ethernet(IPV6, there6), outer(41, answer6)]);
  });

  test('is no tunnel by its port alone', () => {
    const dns = udp(4789, 53);
    const reply = udp(53, 4789, Buffer.from('no header of VXLAN at all'));
    assertTogether([outer(UDP, dns), outer(UDP, reply, back(tunnelEnds))]);
    assertApart([outer(UDP, dns), outer(UDP, udp(4788, 53))]);
  });

  test('whose inside cannot be read goes by its addresses', () => {
    assertTogether([
      outer(47, layer.gre(0x1234, Buffer.alloc(9))),
      outer(47, layer.gre(IPV4, Buffer.alloc(9)), back(tunnelEnds)),
    ]);
  });

  test('deeper than anybody would make it ends somewhere', () => {
    let packet: Uint8Array = there;
    for (let depth = 0; depth < 100; depth += 1) packet = ipv4(tunnelEnds, 4, packet);
    assertTogether([ethernet(IPV4, packet), ethernet(IPV4, packet)]);
  });
});

describe('what is no IP packet', () => {
  test('is ARP by what it asks for and answers', () => {
    const everyone: Ends = { a: layer.MACS.a, b: Array<number>(6).fill(0xff) };
    assertTogether([
      ethernet(0x0806, layer.arp(1, hosts), everyone),
      ethernet(0x0806, layer.arp(2, back(hosts)), back(layer.MACS)),
    ]);
  });

  test('goes by MAC addresses and EtherType, either way, a length being none', () => {
    const other: Ends = { ...layer.MACS, b: [2, 0, 0, 0, 0, 3] };
    assertTogether([ethernet(0x88cc, Buffer.alloc(30)), ethernet(0x88cc, Buffer.alloc(9), back(layer.MACS))]);
    assertTogether([ethernet(30, Buffer.alloc(30)), ethernet(9, Buffer.alloc(9), back(layer.MACS))]);
    assertApart([
      ethernet(0x88cc, Buffer.alloc(30)),
      ethernet(0x88cd, Buffer.alloc(30)),
      ethernet(0x88cc, Buffer.alloc(30), other),
    ]);
  });

  test('has an answer, whatever its bytes, and none but its own bytes decide it', () => {
    const word = (value: number): number[] => [value >> 8, value & 0xff];
    const pieces = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 30 }),
      fc.constantFrom(
        ...[0x8100, IPV4, IPV6, 0x0806, 0x8847, 0x8864, 0x4500, 0x4006, 0x2000, 4789, 6081, 2152, 0x30ff].map(
          word,
        ),
        [...layer.MACS.b, ...layer.MACS.a],
        [...ethernet(IPV4, there)],
        [...there],
        [...there6],
        [...layer.vxlan(ethernet(IPV4, there))],
      ),
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 8 }),
        fc.constantFrom(0, 1, 12, 101, 105, 113, 229, 276),
        fc.constantFrom('inner' as const, 'outer' as const),
        (parts, linkType, tunnels) => {
          const frame = Uint8Array.from(parts.flat());
          const packet = packetOf(frame, linkType);
          const [hash] = hashesOf([frame], tunnels, linkType);
          const beside = new FlowShare({ index: 0, of: 2, tunnels });
          packet.window.fill(0x11, 0, packet.dataStart);
          packet.window.fill(0x11, packet.dataStart + packet.capturedLength);
          assert.equal(beside.hashOf(packet), hash);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('shares', () => {
  test('are of one size, for hosts and ports that count up', () => {
    const flows = share();
    const hashes = Array.from({ length: 8192 }, (_, n) => {
      const ends: Ends = { a: [10, 0, 0, n & 0x3f], b: [10, 0, 1, 1] };
      return flows.hashOf(packetOf(ethernet(IPV4, ipv4(ends, TCP, tcp(40_000 + (n >> 6), 443)))));
    });
    for (let of = 2; of <= 16; of += 1) {
      const counts = Array<number>(of).fill(0);
      for (const hash of hashes) counts[shareOf(hash, of)]! += 1;
      const even = hashes.length / of;
      // Chance alone is within four standard deviations.
      const off = 4.5 * Math.sqrt(even * (1 - 1 / of));
      for (const count of counts)
        assert.ok(Math.abs(count - even) < off, `${of} shares: ${counts.join(' ')}`);
    }
  });

  test('have every packet once', () => {
    const of = 5;
    const shares = Array.from({ length: of }, (_, index) => new FlowShare({ index, of, tunnels: 'inner' }));
    for (let port = 0; port < 200; port += 1) {
      const packet = packetOf(ethernet(IPV4, ipv4(hosts, TCP, tcp(port, 80))));
      assert.equal(shares.filter((each) => each.owns(packet)).length, 1);
    }
  });

  test('are the same in every version: a set may be played again', () => {
    const frames = [
      ethernet(IPV4, there),
      ethernet(IPV6, there6),
      ethernet(0x88cc, Buffer.alloc(9)),
      Buffer.alloc(3),
    ];
    assert.deepEqual(hashesOf(frames), [-1_284_313_007, -1_196_001_307, 1_728_893_409, 642_550_767]);
  });

  test('of a plan are within their number', () => {
    const valid = (index: number, of: number): boolean =>
      flowShareSchema.safeParse({ index, of, tunnels: 'inner' }).success;
    assert.deepEqual(
      [valid(0, 2), valid(1, 2), valid(2, 2), valid(0, 1), valid(-1, 2)],
      [true, true, false, false, false],
    );
  });
});
