/** Frames are well formed, and the flow hash sees the same flow in both directions, tagged or in fragments. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flowHash } from '../../support/flow-hash.ts';
import { arpFrame, ipv4Fragments, numberedFrame, tcpFrame, udpFrame, TCP_ACK } from '../../support/frames.ts';
import type { Conversation } from '../../support/frames.ts';
import { host } from '../../support/hosts.ts';
import { addWords, finishChecksum, pseudoHeaderSum } from '../../support/internet-checksum.ts';

const a = host('02:00:00:00:00:0a', '10.0.0.1');
const b = host('02:00:00:00:00:0b', '10.0.0.2');
const a6 = host('02:00:00:00:00:0a', 'fd00::1');
const b6 = host('02:00:00:00:00:0b', 'fd00::2');
const v4: Conversation = { from: a, to: b, fromPort: 40_000, toPort: 53 };
const v6: Conversation = { from: a6, to: b6, fromPort: 40_000, toPort: 53 };
const back = (c: Conversation): Conversation => ({
  ...c,
  from: c.to,
  to: c.from,
  fromPort: c.toPort,
  toPort: c.fromPort,
});
const payload = Buffer.from('payload of odd length');
const udp = (c: Conversation): Buffer => udpFrame(c, { payload });
const tcp = (c: Conversation): Buffer =>
  tcpFrame(c, { payload, sequence: 1, acknowledgement: 2, flags: TCP_ACK });

describe('both directions have one hash', () => {
  const cases: [string, Buffer, Buffer][] = [
    ['UDP in IPv4', udp(v4), udp(back(v4))],
    ['TCP in IPv4', tcp(v4), tcp(back(v4))],
    ['UDP in IPv6', udp(v6), udp(back(v6))],
    ['one address, two ports', udp({ ...v4, to: a }), udp(back({ ...v4, to: a }))],
    ['802.1Q', udp({ ...v4, vlan: 100 }), udp(back({ ...v4, vlan: 7 }))],
  ];
  for (const [name, there, again] of cases) {
    test(name, () => assert.equal(flowHash(there), flowHash(again)));
  }
});

test('a tag does not change the flow', () => {
  assert.equal(flowHash(udp({ ...v4, vlan: 100 })), flowHash(udp(v4)));
});

test('protocol, addresses and ports make another flow', () => {
  const others = [
    tcp(v4),
    udp({ ...v4, fromPort: 40_001 }),
    udp({ ...v4, toPort: 54 }),
    udp({ ...v4, to: a }),
  ];
  const hashes = new Set([udp(v4), ...others, udp(v6)].map(flowHash));
  assert.equal(hashes.size, 6);
});

test('all fragments of a flow go together, whatever the ports are', () => {
  const fragments = (c: Conversation): Buffer[] => ipv4Fragments(numberedFrame(c, 3000, 1), 1480);
  const all = [...fragments(v4), ...fragments(back(v4)), ...fragments({ ...v4, fromPort: 1 })];
  assert.equal(all.length, 9);
  assert.equal(new Set(all.map(flowHash)).size, 1);
});

test('what is not IP goes by the pair of MAC addresses', () => {
  const there = arpFrame(a, b);
  const again = Buffer.from(there);
  there.copy(again, 0, 6, 12);
  there.copy(again, 6, 0, 6);
  assert.equal(flowHash(there), flowHash(again));
  assert.notEqual(flowHash(there), flowHash(arpFrame(b, a)));
});

test('a frame of any length has a hash', () => {
  for (const frame of [udp(v4), udp(v6), udp({ ...v4, vlan: 1 })]) {
    for (let length = 0; length < frame.length; length++) {
      const hash = flowHash(frame.subarray(0, length));
      assert.ok(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32);
    }
  }
});

test('hundreds of ports spread evenly over four threads', () => {
  const counts = [0, 0, 0, 0];
  for (let port = 0; port < 2000; port++) {
    const thread = flowHash(udp({ ...v4, fromPort: 40_000 + port })) % 4;
    counts[thread] = (counts[thread] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 400 && count < 600, `uneven: ${counts.join(' ')}`);
});

describe('frames', () => {
  test('have the asked length from 60 to 18,020 bytes', () => {
    for (const length of [60, 61, 1514, 1515, 9014, 18_020])
      assert.equal(numberedFrame(v4, length, 3).length, length);
    assert.throws(() => numberedFrame(v4, 59, 0), /out of range/);
    assert.throws(() => numberedFrame(v4, 18_021, 0), /out of range/);
  });

  test('have right checksums', () => {
    for (const frame of [udp(v4), tcp(v4), numberedFrame(v4, 18_020, 9), ...ipv4Fragments(tcp(v4), 16)]) {
      assert.equal(finishChecksum(addWords(frame, 14, 34, 0)), 0);
    }
    for (const [frame, protocol] of [
      [udp(v4), 17],
      [tcp(v4), 6],
      [numberedFrame(v4, 61, 1), 17],
    ] as const) {
      const end = 14 + frame.readUInt16BE(16);
      const pseudo = pseudoHeaderSum(a.ip, b.ip, protocol, end - 34);
      assert.equal(finishChecksum(addWords(frame, 34, end, pseudo)), 0);
    }
    for (const [frame, protocol] of [
      [udp(v6), 17],
      [tcp(v6), 6],
    ] as const) {
      const end = 54 + frame.readUInt16BE(18);
      const pseudo = pseudoHeaderSum(a6.ip, b6.ip, protocol, end - 54);
      assert.equal(finishChecksum(addWords(frame, 54, end, pseudo)), 0);
    }
  });
});
