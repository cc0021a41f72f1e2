import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interfaceOf, linkMtu, linkName, parseLink } from '@capfleet/replayer/link';

for (const [text, link] of [
  ['eth1', { kind: 'af_packet', interface: 'eth1' }],
  ['null', { kind: 'null' }],
  ['nullx', { kind: 'af_packet', interface: 'nullx' }],
  ['file:/tmp/a b.pcap', { kind: 'file', path: '/tmp/a b.pcap' }],
] as const) {
  test(`"${text}" is the link that it names, and goes by that name`, () => {
    assert.deepEqual(parseLink(text), link);
    assert.equal(linkName(link), text);
  });
}

for (const kind of ['af_packet', 'af_xdp', 'pcap'] as const) {
  test(`"${kind}:eth1" is the interface eth1 through ${kind}, and goes by the name of the interface`, () => {
    const link = parseLink(`${kind}:eth1`);
    assert.deepEqual(link, { kind, interface: 'eth1' });
    assert.deepEqual([linkName(link), interfaceOf(link)], ['eth1', 'eth1']);
  });
}

test('a name with a colon that names no link is that of an interface', () => {
  assert.deepEqual(parseLink('eth0:1'), { kind: 'af_packet', interface: 'eth0:1' });
});

test('what needs no interface has none', () => {
  assert.deepEqual([interfaceOf({ kind: 'null' }), interfaceOf({ kind: 'file', path: 'x' })], [null, null]);
});

test('the MTU is that of the interface, and of what a chunk of af_xdp holds', () => {
  const of = (kind: 'af_packet' | 'af_xdp' | 'pcap', mtu: number): number =>
    linkMtu({ kind, interface: 'eth1' }, mtu);
  assert.deepEqual([of('af_packet', 9000), of('pcap', 9000), of('af_xdp', 9000)], [9000, 9000, 4078]);
  assert.equal(of('af_xdp', 1500), 1500);
});
