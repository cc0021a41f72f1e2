import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkName, parseLink } from '@capfleet/replayer/link';

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
