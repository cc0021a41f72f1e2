// Edits on the wire: what the far end of a link receives of a replay that edits, held against frames that the test
// made itself, and `capfleet verify` with the same options.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { program, runCapfleet, type Ended } from '../support/capfleet.ts';
import { assertChecksums } from '../support/edit-frames.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { tcpFrame, TCP_ACK, udpFrame } from '../support/frames.ts';
import { host } from '../support/hosts.ts';
import { createNamespace, linkCounters, removeNamespace, vethPair } from '../support/netns.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { startReceiver } from '../support/receive.ts';
import { tempDir } from '../support/temp-dir.ts';

const skip = await enterNamespaces(import.meta);

const NS = 'edit';
const FAR = 'edit-far';
const MAC = { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' };

/** What a test sends, or is to receive: alike but for addresses and tag. */
function conversationFrames(
  network4: string,
  network6: string,
  mac = MAC,
  change: { vlan?: number; toPort?: number } = {},
): Buffer[] {
  return Array.from({ length: 20 }, (_, number) => {
    const network = number % 2 === 0 ? network4 : network6;
    const conversation = {
      from: host(mac.from, `${network}1`),
      to: host(mac.to, `${network}2`),
      fromPort: 4000 + number,
      toPort: 80,
      ...change,
    };
    const payload = Buffer.alloc(60 + number, number);
    return number % 4 < 2
      ? udpFrame(conversation, { payload, identification: number })
      : tcpFrame(conversation, {
          payload,
          identification: number,
          sequence: number,
          acknowledgement: 1,
          flags: TCP_ACK,
        });
  });
}

interface Bench {
  readonly dir: string;
  readonly dump: string;
  /** Replays with these options, and gives what arrived. */
  replay(...args: string[]): Promise<{ ended: Ended; received: string }>;
}

async function bench(t: TestContext, packets: readonly Uint8Array[], linkType: number): Promise<Bench> {
  const dir = await tempDir(t);
  const records = packets.map((data, number) => ({ seconds: 1_700_000_000, fraction: number * 1000, data }));
  await writeFile(join(dir, 'set.pcap'), pcapFile({ linkType }, records));
  const dump = join(dir, 'map.json');
  const map = ['map', '--source', dir, '--file-suffix', '.pcap', '--file-workers', '1', '--dump-json', dump];
  const mapped = await runCapfleet(map);
  assert.equal(mapped.code, 0, mapped.stderr);
  await createNamespace(NS);
  await createNamespace(FAR);
  t.after(async () => {
    await removeNamespace(NS);
    await removeNamespace(FAR);
  });
  await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: FAR, name: 'far0' } });
  return {
    dir,
    dump,
    async replay(...args) {
      const received = join(dir, 'received.pcap');
      const receiver = await startReceiver({ ns: FAR, iface: 'far0', file: received });
      const command = [process.execPath, program, 'replay', '--dump-json', dump, '--out-interface', 'out0'];
      const through = ['nsenter', `--net=/run/netns/${NS}`, '--', ...command, '--lead', '500ms', '--json'];
      const ended = await runCapfleet(args, { through });
      await receiver.stop();
      return { ended, received };
    },
  };
}

async function arrived(path: string): Promise<Buffer[]> {
  return readPcap(await readFile(path)).packets.map(({ data }) => data);
}

test(
  'addresses, ports and tags arrive as they were asked for, and verify knows them',
  { skip },
  async (t) => {
    const { replay, dump } = await bench(t, conversationFrames('10.1.2.', 'fd00:1::'), 1);
    const edits = [
      ...['--mac-src', '0a:00:00:00:00:01', '--mac-map', `${MAC.to}=0a:00:00:00:00:02`],
      ...['--ip-map', '10.0.0.0/8=172.0.0.0/8', '--ip-map', 'fd00:1::/32=2001:db8::/32'],
      ...['--port-map', '80=8080', '--vlan-add', '42'],
    ];
    const { ended, received } = await replay(...edits);
    assert.ok(ended.code === 0 || ended.code === 4, ended.stderr);
    const mac = { from: '0a:00:00:00:00:01', to: '0a:00:00:00:00:02' };
    const expected = conversationFrames('172.1.2.', '2001:db8::', mac, { vlan: 42, toPort: 8080 });
    assert.deepEqual(await arrived(received), expected);

    const verify = ['verify', '--source', dump, '--received', received, '--json'];
    const same = await runCapfleet([...verify, ...edits]);
    assert.equal(same.code, 0, same.stdout + same.stderr);
    assert.equal((await runCapfleet(verify)).code, 4);
  },
);

test('a cooked set plays with --dlt ethernet, and is refused without', { skip }, async (t) => {
  const frames = conversationFrames('10.1.2.', 'fd00:1::');
  const cooked = frames.map((frame) => {
    const header = Buffer.from('00000001000602000000000100000000', 'hex');
    frame.copy(header, 14, 12, 14);
    return Buffer.concat([header, frame.subarray(14)]);
  });
  const { replay } = await bench(t, cooked, 113);
  const refused = await replay();
  assert.equal(refused.ended.code, 1);
  assert.match(refused.ended.stdout + refused.ended.stderr, /set\.pcap has link type 113[^]*--dlt ethernet/);
  assert.equal((await linkCounters(FAR, 'far0')).rxPackets, 0, 'nothing was sent');
  const { ended, received } = await replay('--dlt', 'ethernet', '--mac-dst', MAC.to);
  assert.ok(ended.code === 0 || ended.code === 4, ended.stderr);
  assert.deepEqual(await arrived(received), frames);
});

test('each loop has addresses of its own with --unique-ip', { skip }, async (t) => {
  const frames = conversationFrames('10.1.2.', 'fd00:1::');
  const { replay } = await bench(t, frames, 1);
  const { ended, received } = await replay('--unique-ip', '--loop-count', '3', '--loop-delay', '5ms');
  assert.ok(ended.code === 0 || ended.code === 4, ended.stderr);
  const all = await arrived(received);
  assert.equal(all.length, 60);
  assert.deepEqual(all.slice(0, 20), frames);
  all.forEach(assertChecksums);
  const sources = all.map((frame) => frame.toString('hex', 26, 30));
  assert.equal(new Set([sources[0], sources[20], sources[40]]).size, 3);
});
