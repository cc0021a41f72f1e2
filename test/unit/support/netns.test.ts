/**
 * Private network namespaces, and an example of a test file that needs them: it enters them in its first line, and
 * every test takes the reason to be skipped from there.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { enterNamespaces, inPrivateNamespaces } from '../../support/enter-namespaces.ts';
import {
  createNamespace,
  linkCounters,
  removeNamespace,
  runIn,
  spawnIn,
  vethPair,
} from '../../support/netns.ts';
import { readPcap } from '../../support/pcap-reader.ts';
import { startReceiver } from '../../support/receive.ts';
import { tempDir } from '../../support/temp-dir.ts';

const skip = await enterNamespaces(import.meta);

test('the process is in namespaces of its own', { skip }, async () => {
  assert.match(String(inPrivateNamespaces()), /^(root|user)$/);
  assert.deepEqual((await readFile('/proc/net/dev', 'utf8')).match(/\w+(?=:)/g), ['lo']);
});

describe('two namespaces', { skip, concurrency: true }, () => {
  before(async () => {
    for (const ns of ['left', 'right']) await createNamespace(ns);
  });
  after(async () => {
    for (const ns of ['left', 'right']) await removeNamespace(ns);
  });

  test('a link without addresses is silent, and carries jumbo frames', async (t) => {
    await vethPair({
      a: { ns: 'left', name: 'out', mtu: 18_006 },
      b: { ns: 'right', name: 'in', mtu: 18_006 },
    });
    assert.match(await runIn('right', 'ip', ['link', 'show', 'in']), /mtu 18006 .*state UP/);
    const dir = await tempDir(t);
    const receiver = await startReceiver({ ns: 'right', iface: 'in', file: join(dir, 'in.pcap') });
    // Stopping waits for more than a second without packets, in which a talkative link would have spoken.
    assert.deepEqual(await receiver.stop(), { path: join(dir, 'in.pcap'), packets: 0, droppedByKernel: 0 });
    for (const [ns, name] of [
      ['left', 'out'],
      ['right', 'in'],
    ] as const) {
      const { rxPackets, txPackets } = await linkCounters(ns, name);
      assert.deepEqual({ rxPackets, txPackets }, { rxPackets: 0, txPackets: 0 });
    }
  });

  test('what is sent on one side is received on the other, with nanoseconds', async (t) => {
    await vethPair({
      a: { ns: 'left', name: 'out-ip', address: '10.9.0.1/24' },
      b: { ns: 'right', name: 'in-ip', address: '10.9.0.2/24' },
    });
    const dir = await tempDir(t);
    const receiver = await startReceiver({ ns: 'right', iface: 'in-ip', file: join(dir, 'in.pcap') });
    const send = `
    const socket = require('node:dgram').createSocket('udp4');
    let left = 500;
    for (let i = 0; i < 500; i++) socket.send('number ' + i, 9, '10.9.0.2', () => --left || socket.close());`;
    const sender = spawnIn('left', process.execPath, ['-e', send], { stdio: 'inherit' });
    const code = await new Promise((resolve) => sender.once('exit', resolve));
    assert.equal(code, 0);
    const { path, packets, droppedByKernel } = await receiver.stop();
    const read = readPcap(await readFile(path));
    const datagrams = read.packets.filter(({ data }) => data.readUInt16BE(12) === 0x0800 && data[23] === 17);
    assert.equal(read.resolution, 'ns');
    assert.equal(packets, read.packets.length);
    assert.equal(droppedByKernel, 0);
    assert.deepEqual(
      datagrams.map(({ data }) => data.toString('latin1', 42).replace(/\0+$/, '')),
      Array.from({ length: 500 }, (_, i) => `number ${i}`),
    );
    const { rxPackets } = await linkCounters('right', 'in-ip');
    assert.equal(rxPackets, packets);
  });
});

test('names that would lead elsewhere are refused', { skip }, async () => {
  await assert.rejects(createNamespace('../../etc'), /not a name/);
});
