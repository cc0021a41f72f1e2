// What the replay refuses before anything is sent: interfaces that cannot take the set, and privileges that are
// missing. Each refusal names the thing and the way out, ends with exit code 1, and leaves the wire silent.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { runCapfleet, program, type Ended } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { numberedFrame } from '../support/frames.ts';
import { createNamespace, linkCounters, removeNamespace, runIn, vethPair } from '../support/netns.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { tempDir } from '../support/temp-dir.ts';
import { host } from '../support/hosts.ts';

const skip = await enterNamespaces(import.meta);

interface Bench {
  readonly dump: string;
  readonly ns: string;
  readonly peer: string;
}

/** A mapped set whose largest frame has the given length, and a namespace with an interface `out0`. */
async function bench(t: TestContext, frameLength: number, linkType = 1): Promise<Bench> {
  const dir = await tempDir(t);
  const conversation = {
    from: host('02:00:00:00:00:01', '10.0.0.1'),
    to: host('02:00:00:00:00:02', '10.0.0.2'),
    fromPort: 1,
    toPort: 2,
  };
  const packets = [60, frameLength].map((length, number) => ({
    seconds: 1_700_000_000,
    fraction: number,
    data: numberedFrame(conversation, length, number),
  }));
  await writeFile(join(dir, 'set.pcap'), pcapFile({ linkType }, packets));
  const dump = join(dir, 'map.json');
  const mapped = await runCapfleet([
    'map',
    '--dir-src',
    dir,
    '--file-suffix',
    '.pcap',
    '--file-workers',
    '1',
    '--dump-json',
    dump,
  ]);
  assert.equal(mapped.code, 0, mapped.stderr);
  const ns = 'refuse';
  const peer = 'refuse-far';
  await createNamespace(ns);
  await createNamespace(peer);
  t.after(async () => {
    await removeNamespace(ns);
    await removeNamespace(peer);
  });
  await vethPair({ a: { ns, name: 'out0' }, b: { ns: peer, name: 'far0' } });
  return { dump, ns, peer };
}

async function replayIn(
  { dump, ns }: Bench,
  args: readonly string[],
  wrapper: readonly string[] = [],
): Promise<Ended> {
  const command = [...wrapper, process.execPath, program, 'replay', '--dump-json', dump, ...args];
  return runCapfleet([], { through: ['nsenter', `--net=/run/netns/${ns}`, '--', ...command] });
}

async function assertRefused(bench: Bench, ended: Ended, ...said: readonly RegExp[]): Promise<void> {
  assert.equal(ended.code, 1, `${ended.stdout}\n${ended.stderr}`);
  for (const pattern of said) assert.match(ended.stdout + ended.stderr, pattern);
  assert.doesNotMatch(ended.stdout + ended.stderr, /internal error| {4}at /);
  assert.equal((await linkCounters(bench.peer, 'far0')).rxPackets, 0, 'nothing was sent');
}

test('an interface that is not there is refused, and those that are there are named', { skip }, async (t) => {
  const set = await bench(t, 1000);
  await assertRefused(
    set,
    await replayIn(set, ['--out-interface', 'eth77']),
    /no interface eth77/,
    /out0/,
    /--out-interface/,
  );
});

test('an interface that is down is refused with the command that brings it up', { skip }, async (t) => {
  const set = await bench(t, 1000);
  await runIn(set.ns, 'ip', ['link', 'set', 'out0', 'down']);
  await assertRefused(
    set,
    await replayIn(set, ['--out-interface', 'out0']),
    /out0 is down/,
    /ip link set out0 up/,
  );
});

test(
  'a frame larger than the interface takes is refused with its file, its size and the MTU it needs',
  { skip },
  async (t) => {
    const set = await bench(t, 3000);
    await assertRefused(
      set,
      await replayIn(set, ['--out-interface', 'out0']),
      /set\.pcap has a frame of 3000 bytes; out0 takes 1514 \(MTU 1500\)/,
      /ip link set out0 mtu 2986/,
    );
  },
);

test('with the MTU that the refusal names, the same set plays', { skip }, async (t) => {
  const set = await bench(t, 3000);
  await runIn(set.ns, 'ip', ['link', 'set', 'out0', 'mtu', '2986']);
  await runIn(set.peer, 'ip', ['link', 'set', 'far0', 'mtu', '2986']);
  const { code, stdout, stderr } = await replayIn(set, ['--out-interface', 'out0', '--json']);
  assert.ok(code === 0 || code === 4, stdout + stderr);
  assert.equal((await linkCounters(set.peer, 'far0')).rxPackets, 2);
});

test('an interface with the default route is refused unless it is allowed', { skip }, async (t) => {
  const set = await bench(t, 1000);
  await runIn(set.ns, 'ip', ['address', 'add', '10.9.9.1/24', 'dev', 'out0']);
  await runIn(set.ns, 'ip', ['route', 'add', 'default', 'via', '10.9.9.2']);
  const out = ['--out-interface', 'out0'];
  await assertRefused(set, await replayIn(set, out), /default route/, /--allow-default-route-interface/);
  const { code, stdout, stderr } = await replayIn(set, [...out, '--allow-default-route-interface', '--json']);
  assert.ok(code === 0 || code === 4, stdout + stderr);
});

test('a capture of another link type is refused with the type named', { skip }, async (t) => {
  const set = await bench(t, 1000, 113);
  await assertRefused(
    set,
    await replayIn(set, ['--out-interface', 'out0']),
    /set\.pcap has link type 113/,
    /Ethernet/,
  );
});

test(
  'without the right to open raw sockets the replay is refused and says how to get it',
  { skip },
  async (t) => {
    const set = await bench(t, 1000);
    const dropped = ['setpriv', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--'];
    await assertRefused(
      set,
      await replayIn(set, ['--out-interface', 'out0'], dropped),
      /not allowed to send raw packets on out0/,
      /cap_net_raw/,
    );
  },
);
