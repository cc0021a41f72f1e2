// Packets of other link types as Ethernet frames: which header they get, and which of them cannot go out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noEdits } from '@capfleet/shared/edit/edit-plan';
import { leastGrowth } from '@capfleet/shared/edit/frame-growth';
import { assertChecksums, editFrame, outgoing } from '../../../support/edit-frames.ts';
import { tcpFrame, TCP_SYN, udpFrame } from '../../../support/frames.ts';
import { host } from '../../../support/hosts.ts';

const from = host('02:00:00:00:00:0a', '10.0.0.1');
const to = host('02:00:00:00:00:0b', '10.0.0.2');
const ports = { fromPort: 1, toPort: 2 };
const frame4 = tcpFrame(
  { from, to, ...ports },
  { payload: Buffer.alloc(50, 3), sequence: 1, acknowledgement: 0, flags: TCP_SYN },
);
const frame6 = udpFrame(
  { from: host('02:00:00:00:00:0a', 'fd00::1'), to: host('02:00:00:00:00:0b', 'fd00::2'), ...ports },
  { payload: Buffer.alloc(50, 3) },
);
const [ip4, ip6] = [frame4.subarray(14), frame6.subarray(14)];
const plan = { toEthernet: true };

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const behind = (header: string, payload: Uint8Array): Buffer => Buffer.concat([hex(header), payload]);

/** [name, link type, packet, Ethernet header that it gets, payload] */
const packets: [name: string, linkType: number, packet: Buffer, header: string, payload: Buffer][] = [
  [
    'cooked',
    113,
    behind('0004 0001 0006 0211 2233 4455 0000 0800', ip4),
    '020000000002 021122334455 0800',
    ip4,
  ],
  [
    'cooked broadcast',
    113,
    behind('0001 0001 0006 0211 2233 4455 0000 0800', ip4),
    'ffffffffffff 021122334455 0800',
    ip4,
  ],
  [
    'cooked without an address',
    113,
    behind('0000 0304 0000 0000 0000 0000 0000 86dd', ip6),
    '020000000002 020000000001 86dd',
    ip6,
  ],
  [
    'cooked with a tag',
    113,
    behind('0000 0001 0006 0211 2233 4455 0000 8100', behind('0007 0800', ip4)),
    '020000000002 021122334455 8100',
    behind('0007 0800', ip4),
  ],
  [
    'cooked 802.2',
    113,
    behind('0000 0001 0006 0211 2233 4455 0000 0004', hex('424203')),
    // Its length, on the wire.
    '020000000002 021122334455 0008',
    hex('424203'),
  ],
  [
    'cooked v2',
    276,
    behind('86dd 0000 00000003 0001 00 06 0211 2233 4455 0000', ip6),
    '020000000002 021122334455 86dd',
    ip6,
  ],
  [
    'cooked v2 broadcast',
    276,
    behind('0800 0000 00000003 0001 01 00 0000 0000 0000 0000', ip4),
    'ffffffffffff 020000000001 0800',
    ip4,
  ],
  ['raw', 101, ip4, '020000000002 020000000001 0800', ip4],
  ['raw', 101, ip6, '020000000002 020000000001 86dd', ip6],
  ['raw of a system', 12, ip4, '020000000002 020000000001 0800', ip4],
  ['IPv4', 228, ip4, '020000000002 020000000001 0800', ip4],
  ['IPv6', 229, ip6, '020000000002 020000000001 86dd', ip6],
  ['null, little endian', 0, behind('02000000', ip4), '020000000002 020000000001 0800', ip4],
  ['null, big endian', 0, behind('0000001e', ip6), '020000000002 020000000001 86dd', ip6],
  ['loop', 108, behind('00000018', ip6), '020000000002 020000000001 86dd', ip6],
];

describe('an Ethernet header', () => {
  for (const [name, linkType, packet, header, payload] of packets) {
    test(`for ${name} (${linkType})`, () => {
      const cut = { linkType, wireLength: packet.length + 5 };
      const { bytes, wireLength, changed } = editFrame(plan, packet, cut);
      assert.equal(bytes?.toString('hex'), Buffer.concat([hex(header), payload]).toString('hex'));
      assert.deepEqual([wireLength, changed], [14 + payload.length + 5, true]);
      assert.equal(14 + payload.length, packet.length + leastGrowth({ ...noEdits, ...plan }, linkType));
      assert.equal(editFrame({}, packet, { linkType }).refusal, 'link-type');
    });
  }

  test('has the addresses that are given, and is edited like any other', () => {
    const given = { ...plan, macSource: '0a:00:00:00:00:01', macDestination: '0a:00:00:00:00:02' };
    const edits = {
      ipMap: [{ from: '10.0.0.0/8', to: '11.0.0.0/8' }],
      vlanAdd: { id: 1, priority: 0, type: '802.1Q' },
    } as const;
    const frame = outgoing({ ...given, ...edits, ipMap: [...edits.ipMap] }, ip4, { linkType: 101 });
    assert.equal(frame.toString('hex', 0, 18), '0a00000000020a00000000018100000108' + '00');
    assert.equal(frame[30], 11);
    assertChecksums(frame);
  });

  test('of an address that is mapped', () => {
    const macMap = [{ from: '02:11:22:33:44:55', to: '0a:00:00:00:00:01' }];
    const frame = outgoing({ ...plan, macMap }, packets[0]?.[2] ?? Buffer.alloc(0), { linkType: 113 });
    assert.equal(frame.toString('hex', 6, 12), '0a0000000001');
  });
});

describe('no Ethernet header', () => {
  for (const [name, linkType, packet, refusal] of [
    ['a link type that is not converted', 105, ip4, 'link-type'],
    [
      'a cooked packet that is cut in its header',
      113,
      hex('0000 0001 0006 0211 2233 4455 0000 08'),
      'header-cut',
    ],
    ['an empty raw packet', 101, Buffer.alloc(0), 'header-cut'],
    ['netlink', 113, behind('0004 0338 0000 0000 0000 0000 0000 0010', ip4), 'not-ethernet'],
    [
      'a cooked kind of frame that Ethernet has not',
      113,
      behind('0000 0118 0000 0000 0000 0000 0000 000c', ip4),
      'not-ethernet',
    ],
    ['a raw packet of no version', 101, hex('90'), 'not-ethernet'],
    ['IPv6 that calls itself IPv4', 228, ip6, 'not-ethernet'],
    ['an address family that is not IP', 0, behind('07000000', ip4), 'not-ethernet'],
    ['the same in network order', 108, behind('02000000', ip4), 'not-ethernet'],
  ] as const) {
    test(`for ${name}`, () => {
      assert.equal(editFrame(plan, packet, { linkType }).refusal, refusal);
    });
  }
});
