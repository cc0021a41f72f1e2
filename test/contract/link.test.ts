// Everything that frames can be sent into, held against one set of promises; interfaces are veth pairs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openNativePacer } from '@capfleet/replayer/adapters/native-pacer';
import { loadNpmPcap } from '@capfleet/replayer/adapters/npm-pcap';
import { openPcapPacer } from '@capfleet/replayer/adapters/pcap-pacer';
import { loadNative } from '@capfleet/replayer/native/binding';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { reasonOf } from '@capfleet/shared/errors/failure';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import {
  arrived,
  experimentalFrame,
  listenFar,
  makeFarNamespace,
  makePair,
  NEAR,
  removePair,
  setFar,
  setNear,
} from '../support/near-and-far.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { linkContract } from './suites/link.ts';

const noNamespaces = await enterNamespaces(import.meta);

function whyNoNpmPcap(): string | false {
  try {
    loadNpmPcap();
    return false;
  } catch (error) {
    return `the npm package pcap does not load: ${reasonOf(error)}`;
  }
}

if (loadNative() === null) {
  test('links', { skip: 'the native core is not built: npm run build' }, () => undefined);
} else {
  if (noNamespaces === false) await makeFarNamespace();
  const listen = async (t: TestContext): Promise<() => Promise<Buffer[]>> =>
    listenFar(join(await tempDir(t), 'far.pcap'));

  linkContract({
    name: 'null',
    open: async () => openNativePacer({ kind: 'null' }),
    largest: null,
    intoInterface: false,
  });

  let path = '';
  linkContract({
    name: 'file',
    async open(t) {
      path = join(await tempDir(t), 'sent.pcap');
      return openNativePacer({ kind: 'file', path });
    },
    listen: async () => async () => readPcap(await readFile(path)).packets.map(({ data }) => data),
    largest: null,
    intoInterface: false,
  });

  for (const kind of ['af_packet', 'af_xdp'] as const) {
    linkContract({
      name: kind,
      skip: noNamespaces,
      open: async () => openNativePacer({ kind, interface: NEAR }),
      listen,
      largest: 1514,
      intoInterface: true,
      knowsCarrier: true,
    });
  }

  test(
    'the link af_xdp refuses what is larger than its chunks, whatever the MTU',
    { skip: noNamespaces },
    async (t) => {
      await makePair();
      t.after(removePair);
      await setFar('mtu', '9000');
      await setNear('mtu', '9000');
      const pacer = openNativePacer({ kind: 'af_xdp', interface: NEAR });
      const ring = new RingWriter(pacer);
      for (const length of [4096, 4097, 9014, 3200, 60]) {
        assert.ok(ring.frame(0, experimentalFrame(length, length), 0, length));
      }
      ring.commit();
      pacer.end();
      pacer.start(process.hrtime.bigint());
      const { sent, refused } = await waitFor(
        'the end',
        () => pacer.counts().state === 'done' && pacer.counts(),
      );
      pacer.close();
      assert.deepEqual([sent, refused.oversize], [3, 2]);
      assert.equal(await arrived(), 3);
    },
  );

  linkContract({
    name: 'pcap',
    skip: noNamespaces === false ? whyNoNpmPcap() : noNamespaces,
    open: async () => openPcapPacer(NEAR),
    listen,
    largest: 1514,
    intoInterface: true,
  });
}
