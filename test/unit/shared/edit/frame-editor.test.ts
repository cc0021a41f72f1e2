// What each edit makes of a frame, byte for byte, with every checksum computed anew by code of the test's own.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noEdits } from '@capfleet/shared/edit/edit-plan';
import { createFrameEditor } from '@capfleet/shared/edit/frame-editor';
import { assertChecksums, editFrame, outgoing, packetOf } from '../../../support/edit-frames.ts';
import { arpFrame, ipv4Fragments, tcpFrame, TCP_ACK, TCP_PSH, udpFrame } from '../../../support/frames.ts';
import { host } from '../../../support/hosts.ts';
import { addWords, finishChecksum, pseudoHeaderSum } from '../../../support/internet-checksum.ts';

const MAC_A = '02:00:00:00:00:0a';
const MAC_B = '02:00:00:00:00:0b';
const v4 = {
  from: host(MAC_A, '10.1.2.3'),
  to: host(MAC_B, '192.168.7.9'),
  fromPort: 40_000,
  toPort: 80,
};
const v6 = {
  from: host(MAC_A, 'fd00:1::5'),
  to: host(MAC_B, 'fd00:2::6'),
  fromPort: 40_000,
  toPort: 53,
};
const payload = Buffer.from('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n!');
const tcp = (conversation: typeof v4 = v4, vlan?: number): Buffer =>
  tcpFrame(vlan === undefined ? conversation : { ...conversation, vlan }, {
    payload,
    sequence: 0xdeadbeef,
    acknowledgement: 7,
    flags: TCP_PSH | TCP_ACK,
  });
const udp = (conversation: typeof v4 = v4): Buffer =>
  udpFrame(conversation, { payload, identification: 0x1234 });

/** An ICMPv6 echo request between the hosts of `v6`. */
function ping6(): Buffer {
  const frame = udp(v6);
  frame[20] = 58;
  frame.set([128, 0, 0, 0, 0, 1, 0, 2], 54);
  const pseudo = pseudoHeaderSum(v6.from.ip, v6.to.ip, 58, frame.readUInt16BE(18));
  frame.writeUInt16BE(finishChecksum(addWords(frame, 54, 54 + frame.readUInt16BE(18), pseudo)), 56);
  return frame;
}

/** An ICMP echo request between the hosts of `v4`, whose checksum covers no address. */
function ping4(): Buffer {
  const frame = udp();
  frame[23] = 1;
  frame.set([8, 0, 0, 0, 0, 1, 0, 2], 34);
  frame.writeUInt16BE(0, 24);
  frame.writeUInt16BE(finishChecksum(addWords(frame, 14, 34, 0)), 24);
  frame.writeUInt16BE(finishChecksum(addWords(frame, 34, 14 + frame.readUInt16BE(16), 0)), 36);
  return frame;
}

/** Where two frames of one length differ. */
function differences(a: Buffer, b: Buffer): number[] {
  assert.equal(a.length, b.length);
  return [...a.keys()].filter((index) => a[index] !== b[index]);
}

const tag = (frame: Buffer, ...tags: string[]): Buffer =>
  Buffer.concat([frame.subarray(0, 12), Buffer.from(tags.join(''), 'hex'), frame.subarray(12)]);

describe('without edits', () => {
  test('a frame goes out from where it lies', () => {
    const editor = createFrameEditor(noEdits);
    const packet = packetOf(tcp());
    assert.equal(editor.edit(packet), null);
    assert.equal(editor.bytes, packet.window);
    assert.deepEqual([editor.start, editor.length], [packet.dataStart, packet.capturedLength]);
    assert.equal(editor.changed, false);
    assert.equal(editor.edit(packetOf(tcp(), 113)), 'link-type');
  });
});

describe('MAC addresses', () => {
  test('are set', () => {
    const frame = outgoing({ macSource: '00:11:22:33:44:55', macDestination: 'ff:ff:ff:ff:ff:fe' }, tcp());
    assert.equal(frame.toString('hex', 0, 12), 'fffffffffffe001122334455');
    assert.ok(frame.subarray(12).equals(tcp().subarray(12)));
  });

  test('are mapped on both sides, and a set one wins', () => {
    const macMap = [
      { from: MAC_A, to: '00:11:22:33:44:55' },
      { from: MAC_B, to: MAC_A },
    ];
    assert.equal(outgoing({ macMap }, tcp()).toString('hex', 0, 12), '02000000000a001122334455');
    const set = outgoing({ macMap, macSource: '0e:00:00:00:00:00' }, tcp());
    assert.equal(set.toString('hex', 0, 12), '02000000000a0e0000000000');
    // The same lower half, another upper one.
    const near = tcp();
    near[6] = 0x03;
    near[0] = 0x03;
    assert.deepEqual(editFrame({ macMap }, near).changed, false);
  });

  test('of ARP are mapped too, and not set', () => {
    const arp = arpFrame(v4.from, v4.to);
    const mapped = outgoing({ macMap: [{ from: MAC_A, to: '00:11:22:33:44:55' }] }, arp);
    assert.equal(mapped.toString('hex', 22, 28), '001122334455');
    assert.equal(mapped.toString('hex', 6, 12), '001122334455');
    assert.deepEqual(
      differences(outgoing({ macSource: '00:11:22:33:44:55' }, arp), arp),
      [6, 7, 8, 9, 10, 11],
    );
  });
});

describe('VLAN tags', () => {
  test('are put on, outside of those that are there', () => {
    const added = outgoing({ vlanAdd: { id: 100, priority: 5, type: '802.1Q' } }, tcp());
    assert.ok(added.equals(tag(tcp(), '8100a064')));
    const outer = editFrame({ vlanAdd: { id: 4095, priority: 0, type: '802.1ad' } }, tcp(v4, 7));
    assert.ok(outer.bytes?.equals(tag(tcp(v4, 7), '88a80fff')));
    assert.equal(outer.wireLength, tcp().length + 8);
  });

  test('are taken off, however many', () => {
    const frame = tag(tcp(), '88a80001', '81002002', '91000003');
    const stripped = editFrame({ vlanStrip: true }, frame, { wireLength: frame.length + 100 });
    assert.ok(stripped.bytes?.equals(tcp()));
    assert.equal(stripped.wireLength, tcp().length + 100);
    const again = outgoing({ vlanStrip: true, vlanAdd: { id: 9, priority: 0, type: '802.1Q' } }, frame);
    assert.ok(again.equals(tag(tcp(), '81000009')));
    assert.equal(editFrame({ vlanStrip: true }, tcp()).changed, false);
  });

  test('get other ids and keep their priority', () => {
    const frame = tag(tcp(), '88a8600a', '8100a014');
    const vlanMap = [
      { from: 10, to: 30 },
      { from: 20, to: 4000 },
      // The first that fits counts.
      { from: 20, to: 7 },
    ];
    assert.ok(outgoing({ vlanMap }, frame).equals(tag(tcp(), '88a8601e', '8100afa0')));
    assert.equal(editFrame({ vlanMap }, tcp(v4, 30)).changed, false);
  });

  test('that are cut off stay', () => {
    const cut = tag(tcp(), '81000005').subarray(0, 17);
    assert.ok(outgoing({ vlanStrip: true, vlanMap: [{ from: 5, to: 6 }] }, cut).equals(cut));
  });
});

describe('IP addresses', () => {
  const ipMap = [
    { from: '10.1.0.0/16', to: '172.16.0.0/16' },
    { from: '10.0.0.0/8', to: '11.0.0.0/8' },
    { from: '192.168.7.9', to: '8.8.8.8' },
    { from: 'fd00:1::/32', to: '2001:db8::/32' },
    { from: 'fd00:2::/33', to: '2001:db8:8000::/33' },
  ];

  for (const [name, make] of [
    ['TCP', tcp],
    ['UDP', udp],
  ] as const) {
    test(`of IPv4 are mapped by prefix, checksums of ${name} kept`, () => {
      const frame = outgoing({ ipMap }, make());
      assert.deepEqual([...frame.subarray(26, 34)], [172, 16, 2, 3, 8, 8, 8, 8]);
      assertChecksums(frame);
      const at = name === 'TCP' ? [50, 51] : [40, 41];
      const touched = new Set([24, 25, 26, 27, 30, 31, 32, 33, ...at]);
      assert.ok(differences(frame, make()).every((index) => touched.has(index)));
    });
  }

  test('of IPv6 are mapped by prefix, checksums kept', () => {
    for (const made of [tcp(v6), udp(v6), ping6()]) {
      assertChecksums(made);
      const frame = outgoing({ ipMap }, made);
      assert.equal(frame.toString('hex', 22, 38), '20010db8000000000000000000000005');
      assert.equal(frame.toString('hex', 38, 54), '20010db8800000000000000000000006');
      assertChecksums(frame);
    }
  });

  test('of IPv4 ICMP are mapped, and its checksum stays', () => {
    const frame = outgoing({ ipMap }, ping4());
    assert.equal(finishChecksum(addWords(frame, 14, 34, 0)), 0);
    assert.ok(frame.subarray(34).equals(ping4().subarray(34)));
  });

  test('are mapped behind tags, once, by the first rule that fits', () => {
    const back = [
      { from: '10.0.0.0/8', to: '192.0.0.0/8' },
      { from: '192.0.0.0/8', to: '10.0.0.0/8' },
    ];
    const frame = outgoing({ ipMap: back }, tag(tcp(v4, 5), '88a80001'));
    assert.deepEqual([...frame.subarray(34, 42)], [192, 1, 2, 3, 10, 168, 7, 9]);
    assertChecksums(frame);
  });

  test('of ARP are mapped', () => {
    const frame = outgoing({ ipMap }, arpFrame(v4.from, v4.to));
    assert.deepEqual([...frame.subarray(28, 32)], [172, 16, 2, 3]);
    assert.deepEqual([...frame.subarray(38, 42)], [8, 8, 8, 8]);
  });

  test('of all fragments are mapped, and the packet that they make is sound', () => {
    const whole = udpFrame(v4, { payload: Buffer.alloc(200, 7) });
    const fragments = ipv4Fragments(whole, 64).map((frame) => outgoing({ ipMap }, frame));
    const expected = outgoing({ ipMap }, whole);
    const data = Buffer.concat(fragments.map((frame) => frame.subarray(34, 14 + frame.readUInt16BE(16))));
    assert.ok(data.equals(expected.subarray(34)));
    for (const frame of fragments) assert.equal(finishChecksum(addWords(frame, 14, 34, 0)), 0);
    assertChecksums(expected);
  });

  test('are mapped where the packet is cut, and the rest of it would be right', () => {
    for (const length of [34, 35, 41, 50, 51, 52, 60]) {
      const frame = outgoing({ ipMap }, tcp().subarray(0, length), { wireLength: tcp().length });
      assert.equal(frame.length, length);
      const rest = Buffer.concat([frame, outgoing({ ipMap }, tcp()).subarray(length)]);
      if (length >= 52) assertChecksums(rest);
    }
    // Less than an IPv4 header.
    assert.equal(editFrame({ ipMap }, tcp().subarray(0, 33)).changed, false);
  });

  test('leave a datagram without a checksum without one', () => {
    const frame = udp();
    frame.writeUInt16BE(0, 40);
    assert.equal(
      outgoing({ ipMap, portMap: [{ from: 80, through: 80, to: 81 }] }, frame).readUInt16BE(40),
      0,
    );
  });

  test('leave a wrong checksum as wrong as it was', () => {
    const frame = tcp();
    frame.writeUInt16BE((frame.readUInt16BE(50) + 0x0101) & 0xffff, 50);
    const moved = outgoing({ ipMap }, frame).readUInt16BE(50);
    const right = outgoing({ ipMap }, tcp()).readUInt16BE(50);
    assert.ok([0x0101, 0x0100].includes((moved - right + 0x1_0000) & 0xffff));
  });

  test('with a checksum on either side of zero come out right, for every change', () => {
    for (let last = 0; last < 256; last += 1) {
      const rules = [{ from: '10.1.2.3', to: `255.255.255.${last}` }];
      const frame = outgoing({ ipMap: rules }, udp());
      assertChecksums(frame);
      assert.notEqual(frame.readUInt16BE(40), 0, 'which would say that there is none');
    }
  });

  test('behind a routing header are mapped, the way station without a change of the checksum', () => {
    const routed = Buffer.concat([
      udp(v6).subarray(0, 54),
      // Routing header of type 0, one segment left, its address.
      Buffer.from([17, 2, 0, 1, 0, 0, 0, 0, ...host(MAC_A, 'fd00:9::1').ip]),
      udp(v6).subarray(54),
    ]);
    routed[20] = 43;
    routed.writeUInt16BE(routed.readUInt16BE(18) + 24, 18);
    const only = (from: string, to: string): Buffer => outgoing({ ipMap: [{ from, to }] }, routed);
    const checksumAt = 54 + 24 + 6;
    assert.deepEqual(differences(only('fd00:2::6', 'fd00:2::7'), routed), [53]);
    assert.deepEqual(differences(only('fd00:1::5', 'fd00:1::6'), routed), [37, checksumAt + 1]);
  });
});

describe('other addresses in each loop', () => {
  const plan = { uniqueIp: true };

  test('keep the first loop, the network, and the checksums', () => {
    assert.equal(editFrame(plan, tcp()).changed, false);
    const seen = new Set<string>();
    for (const loop of [0, 1, 2, 3, 255, 256, 1000, 65_535]) {
      const frame = outgoing(plan, tcp(), { loop });
      assertChecksums(frame);
      assert.deepEqual([frame[26], frame[27], frame[30], frame[31]], [10, 1, 192, 168]);
      assertChecksums(outgoing(plan, udp(v6), { loop }));
      seen.add(frame.toString('hex', 26, 34));
    }
    assert.equal(seen.size, 8);
    assert.ok(outgoing(plan, tcp(), { loop: 65_536 }).equals(tcp()));
  });

  test('are the same for whoever talks', () => {
    const answer = { ...v4, from: v4.to, to: v4.from };
    const [there, back] = [v4, answer].map((way) => outgoing(plan, tcp(way), { loop: 7 }));
    assert.equal(there?.toString('hex', 26, 30), back?.toString('hex', 30, 34));
    const arp = outgoing(plan, arpFrame(v4.from, v4.to), { loop: 7 });
    assert.equal(arp.toString('hex', 28, 32), there?.toString('hex', 26, 30));
  });

  test('leave out multicast, broadcast, loopback and no address', () => {
    for (const ip of ['224.0.0.251', '255.255.255.255', '0.0.0.0', '127.0.0.1'])
      assert.deepEqual(
        outgoing(plan, udp({ ...v4, to: host(MAC_B, ip) }), { loop: 3 }).subarray(30, 34),
        Buffer.from(host(MAC_B, ip).ip),
      );
    for (const ip of ['ff02::fb', '::', '::1'])
      assert.deepEqual(
        outgoing(plan, udp({ ...v6, to: host(MAC_B, ip) }), { loop: 3 }).subarray(38, 54),
        Buffer.from(host(MAC_B, ip).ip),
      );
  });

  test('come on top of a mapping', () => {
    const frame = outgoing({ ...plan, ipMap: [{ from: '10.0.0.0/8', to: '11.0.0.0/8' }] }, tcp(), {
      loop: 1,
    });
    assert.deepEqual([frame[26], frame[27]], [11, 1]);
    assertChecksums(frame);
  });
});

describe('ports', () => {
  const portMap = [
    { from: 80, through: 80, to: 8080 },
    { from: 40_000, through: 41_000, to: 99 },
    { from: 40_000, through: 40_000, to: 1 },
  ];

  test('of TCP and UDP are mapped on both sides, the first rule counts', () => {
    for (const frame of [tcp(), udp(), tcp(v4, 3)]) {
      const mapped = outgoing({ portMap }, frame);
      const at = frame.length === tcp(v4, 3).length && frame[12] === 0x81 ? 38 : 34;
      assert.deepEqual([mapped.readUInt16BE(at), mapped.readUInt16BE(at + 2)], [99, 8080]);
      assertChecksums(mapped);
    }
    assertChecksums(outgoing({ portMap: [{ from: 53, through: 53, to: 5353 }] }, udp(v6)));
    assert.equal(
      editFrame({ portMap: [{ from: 128 << 8, through: 128 << 8, to: 1 }] }, ping6()).changed,
      false,
    );
  });

  test('are found behind extension headers', () => {
    const frame = Buffer.concat([
      udp(v6).subarray(0, 54),
      Buffer.from([60, 0, 1, 4, 0, 0, 0, 0]), // hop-by-hop, then
      Buffer.from([51, 1, 1, 12, ...new Array<number>(12).fill(0)]), // destination options, then
      Buffer.from([44, 2, 0, 0, ...new Array<number>(12).fill(9)]), // authentication, then
      Buffer.from([17, 0, 0, 0, 0, 0, 0, 1]), // a fragment that is all of it, then UDP
      udp(v6).subarray(54),
    ]);
    frame[20] = 0;
    frame.writeUInt16BE(frame.length - 54, 18);
    const mapped = outgoing({ portMap: [{ from: 53, through: 53, to: 5353 }] }, frame);
    const at = 54 + 8 + 16 + 16 + 8;
    assert.deepEqual([mapped.readUInt16BE(at), mapped.readUInt16BE(at + 2)], [40_000, 5353]);
    const pseudo = pseudoHeaderSum(v6.from.ip, v6.to.ip, 17, frame.length - at);
    assert.equal(finishChecksum(addWords(mapped, at, mapped.length, pseudo)), 0);
  });

  test('of a later fragment are none', () => {
    const [first, second] = ipv4Fragments(udpFrame(v4, { payload: Buffer.alloc(100, 0x9c) }), 64);
    assert.ok(first && second);
    const rules = [
      { from: 0x9c9c, through: 0x9c9c, to: 1 },
      { from: 80, through: 80, to: 81 },
    ];
    assert.equal(outgoing({ portMap: rules }, first).readUInt16BE(36), 81);
    assert.equal(editFrame({ portMap: rules }, second).changed, false);
  });
});

describe('TTL', () => {
  test('is set or moved, within its bounds', () => {
    for (const [ttl, expected] of [
      [{ kind: 'set', value: 7 }, 7],
      [{ kind: 'add', value: 1 }, 65],
      [{ kind: 'add', value: -1 }, 63],
      [{ kind: 'add', value: -100 }, 1],
      [{ kind: 'add', value: 250 }, 255],
    ] as const) {
      const four = outgoing({ ttl }, tcp());
      assert.equal(four[22], expected);
      assertChecksums(four);
      const six = outgoing({ ttl }, udp(v6));
      assert.deepEqual(differences(six, udp(v6)), [21]);
      assert.equal(six[21], expected);
    }
  });
});

describe('the length on the wire', () => {
  test('is reached with zeros', () => {
    const cut = tcp().subarray(0, 60);
    const { bytes, wireLength, changed } = editFrame({ padToWire: true }, cut, { wireLength: 1514 });
    assert.ok(bytes?.equals(Buffer.concat([cut, Buffer.alloc(1454)])));
    assert.deepEqual([wireLength, changed], [1514, true]);
    assert.equal(editFrame({ padToWire: true }, tcp()).changed, false);
  });

  test('counts what edits add, and is bounded', () => {
    const vlanAdd = { id: 1, priority: 0, type: '802.1Q' } as const;
    const cut = tcp().subarray(0, 60);
    assert.equal(outgoing({ padToWire: true, vlanAdd }, cut, { wireLength: 1514 }).length, 1518);
    assert.equal(outgoing({ padToWire: true }, cut, { wireLength: 0xffff_ffff }).length, 262_144);
    assert.equal(editFrame({ vlanAdd }, cut, { wireLength: 1514 }).wireLength, 1518);
  });

  test('makes checksums that cover what is there, where they are computed', () => {
    const cut = tcp().subarray(0, 60);
    const whole = { wireLength: tcp().length };
    assertChecksums(outgoing({ padToWire: true, fixChecksums: true }, cut, whole));
    assert.throws(() => assertChecksums(outgoing({ padToWire: true }, cut, whole)));
  });
});

describe('checksums', () => {
  test('are computed anew, whatever they were', () => {
    for (const [frame, at] of [
      [tcp(), [24, 50]],
      [udp(), [24, 40]],
      [tcp(v6), [70]],
      [udp(v6), [60]],
      [ping6(), [56]],
      [ping4(), [24, 36]],
    ] as const) {
      const broken = Buffer.from(frame);
      for (const place of at) broken.writeUInt16BE(0x1111, place);
      const fixed = editFrame({ fixChecksums: true }, broken);
      assert.ok(fixed.bytes?.equals(frame));
      assert.equal(fixed.changed, true);
      assert.equal(editFrame({ fixChecksums: true }, frame).changed, false);
    }
  });

  test('of what is not there whole stay, those of the header do not', () => {
    const broken = tcp();
    broken.writeUInt16BE(0x1111, 24);
    broken.writeUInt16BE(0x2222, 50);
    const cut = outgoing({ fixChecksums: true }, broken.subarray(0, 70), { wireLength: broken.length });
    assert.equal(cut.readUInt16BE(24), tcp().readUInt16BE(24));
    assert.equal(cut.readUInt16BE(50), 0x2222);
    const [first] = ipv4Fragments(udpFrame(v4, { payload: Buffer.alloc(200) }), 64);
    assert.equal(editFrame({ fixChecksums: true }, first ?? Buffer.alloc(0)).changed, false);
  });

  test('of a segment that was to be cut by the interface are computed over all of it', () => {
    const large = tcpFrame(v4, {
      payload: Buffer.alloc(3000, 5),
      sequence: 1,
      acknowledgement: 2,
      flags: TCP_ACK,
    });
    const offloaded = Buffer.from(large);
    offloaded.writeUInt16BE(0, 16);
    offloaded.writeUInt16BE(0, 24);
    const fixed = outgoing({ fixChecksums: true }, offloaded);
    assert.equal(fixed.readUInt16BE(50), large.readUInt16BE(50));
  });

  test('leave the padding of a short frame out', () => {
    const short = udpFrame(v4, { payload: Buffer.from('ab') });
    assert.equal(short.length, 60);
    short.fill(0xff, 44);
    assertChecksums(outgoing({ fixChecksums: true }, short));
    assert.equal(editFrame({ fixChecksums: true }, short).changed, false);
  });
});
