// Everything that frames can be sent into, held against one set of promises; interfaces are veth pairs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { openNativePacer } from '@capfleet/replayer/adapters/native-pacer';
import { loadNpmPcap } from '@capfleet/replayer/adapters/npm-pcap';
import { openPcapPacer } from '@capfleet/replayer/adapters/pcap-pacer';
import { loadNative } from '@capfleet/replayer/native/binding';
import { plainPacing, type PacingOptions } from '@capfleet/replayer/pacing-options';
import type { Pacer, PacerCounts } from '@capfleet/replayer/ports/pacer';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { reasonOf } from '@capfleet/shared/errors/failure';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { arrived, experimentalFrame, FAR, NEAR, nearAndFar } from '../support/near-and-far.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { linkContract } from './suites/link.ts';

const run = promisify(execFile);
const noNamespaces = await enterNamespaces(import.meta);

/** Links are looked at, not times: a thread that spins would only hold up the tests. */
const CALM: PacingOptions = { ...plainPacing, spin: 'none', realtime: false };

function whyNoNpmPcap(): string | false {
  try {
    loadNpmPcap();
    return false;
  } catch (error) {
    return `the npm package pcap does not load: ${reasonOf(error)}`;
  }
}

/** Frames of these lengths, all due at once. */
async function sendNow(pacer: Pacer, lengths: readonly number[]): Promise<PacerCounts> {
  const ring = new RingWriter(pacer);
  for (const [i, length] of lengths.entries())
    assert.ok(ring.frame(0, experimentalFrame(length, i), 0, length));
  ring.commit();
  pacer.end();
  pacer.start(process.hrtime.bigint());
  const counts = await waitFor('the end', () => pacer.counts().state === 'done' && pacer.counts());
  pacer.close();
  return counts;
}

if (loadNative() === null) {
  test('links', { skip: 'the native core is not built: npm run build' }, () => undefined);
} else {
  const pair = nearAndFar();
  after(() => pair.close());

  linkContract({
    name: 'null',
    open: async () => openNativePacer({ kind: 'null' }, CALM),
    largest: null,
    pair: null,
  });

  let path = '';
  linkContract({
    name: 'file',
    async open(t) {
      path = join(await tempDir(t), 'sent.pcap');
      return openNativePacer({ kind: 'file', path }, CALM);
    },
    listen: async () => async () => readPcap(await readFile(path)).packets.map(({ data }) => data),
    largest: null,
    pair: null,
  });

  for (const kind of ['af_packet', 'af_xdp'] as const) {
    linkContract({
      name: kind,
      skip: noNamespaces,
      open: async () => openNativePacer({ kind, interface: NEAR }, CALM),
      listen: () => pair.listen(),
      largest: 1514,
      pair,
      knowsCarrier: true,
    });
  }

  test(
    'the link af_xdp refuses what is larger than its chunks, whatever the MTU',
    { skip: noNamespaces },
    async () => {
      await pair.ready();
      await pair.change(`link set dev ${FAR} mtu 9000`, `link set dev ${NEAR} mtu 9000`);
      const before = arrived();
      const pacer = openNativePacer({ kind: 'af_xdp', interface: NEAR }, CALM);
      const lengths = [4096, 4097, 9014, 3200, 60];
      const { sent, refused } = await sendNow(pacer, lengths);
      assert.deepEqual([sent, refused.oversize], [3, 2]);
      assert.equal(arrived() - before, 3);
    },
  );

  const noPcap = noNamespaces === false ? whyNoNpmPcap() : noNamespaces;
  linkContract({
    name: 'pcap',
    skip: noPcap,
    open: async () => openPcapPacer(NEAR),
    listen: () => pair.listen(),
    largest: 1514,
    pair,
  });

  test('the link pcap refuses what the queue of its interface does not take', { skip: noPcap }, async (t) => {
    await pair.ready();
    await run('tc', `qdisc add dev ${NEAR} root tbf rate 1mbit burst 2000 limit 3000`.split(' '));
    t.after(() => run('tc', ['qdisc', 'delete', 'dev', NEAR, 'root']));
    const { sent, refused } = await sendNow(openPcapPacer(NEAR), Array<number>(30).fill(1000));
    assert.ok(sent > 0 && refused['no-buffers'] > 0);
    assert.equal(sent + refused['no-buffers'], 30);
  });

  test('the link pcap does not keep its process alive once it is closed', { skip: noPcap }, async () => {
    const module = import.meta.resolve('@capfleet/replayer/adapters/pcap-pacer');
    const script = `import { openPcapPacer } from '${module}'; openPcapPacer('lo').close();`;
    await run(process.execPath, ['--input-type=module', '-e', script], { timeout: 30_000 });
  });
}
