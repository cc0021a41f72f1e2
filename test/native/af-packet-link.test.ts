/**
 * What the raw socket does beyond what every link promises (test/contract/link.test.ts): the errors of the kernel behind
 * refusals, the queueing discipline, and transmit stamps. Over a veth pair.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, beforeEach, describe, test } from 'node:test';
import {
  HISTOGRAM_BUCKETS,
  type PacerHandle,
  type PacerOptions,
} from '../../services/replayer/src/native/binding.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { arrived, experimentalFrame, FAR, NEAR, nearAndFar } from '../support/near-and-far.ts';
import { runCase } from './support/child.ts';
import { createPacer, native } from './support/native.ts';
import { waitFor as until } from '../support/wait-for.ts';
import { statsOf, waitFor, waitForState, type PacerStats } from './support/pacer-stats.ts';
import { ringWriter } from './support/ring-writer.ts';

const skip = await enterNamespaces(import.meta);

const MS = 1_000_000;
const ENXIO = 6n;
const EINVAL = 22n;
const EMSGSIZE = 90n;
const ENETDOWN = 100n;
const ENOBUFS = 105n;

const run = promisify(execFile);

function open(options: Partial<PacerOptions> = {}): PacerHandle {
  return createPacer({ link: 'af_packet', interface: NEAR, ringBytes: 1 << 22, ...options });
}

function frames(count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => experimentalFrame(length, i));
}

/** A pacer with frames in its ring, the first due in a millisecond. */
function started(sent: readonly Uint8Array[], gap: number, options: Partial<PacerOptions> = {}): PacerHandle {
  const handle = open(options);
  const writer = ringWriter(handle);
  for (const [i, bytes] of sent.entries()) assert.ok(writer.frame(bytes, i * gap));
  writer.commit();
  native.end(handle);
  native.start(handle, native.monotonicNow() + BigInt(MS));
  return handle;
}

async function ended(handle: PacerHandle): Promise<PacerStats> {
  const stats = await waitForState(handle, 'done');
  native.close(handle);
  return stats;
}

async function sendMore(handle: PacerHandle, packets: bigint): Promise<void> {
  const { sentPackets } = statsOf(handle);
  await waitFor(handle, (stats) => stats.sentPackets >= sentPackets + packets);
}

async function refuseMore(handle: PacerHandle, packets: bigint): Promise<void> {
  const { refusedLinkDown } = statsOf(handle);
  await waitFor(handle, (stats) => stats.refusedLinkDown >= refusedLinkDown + packets);
}

describe('the raw socket', { skip }, () => {
  const pair = nearAndFar();
  beforeEach(() => pair.ready());
  after(() => pair.close());

  test('without the bypass of the queueing discipline, too, what leaves is what arrives', async () => {
    const sent = Array.from({ length: 500 }, (_, i) => experimentalFrame(60 + ((i * 37) % 1455), i));
    const received = await pair.listen();
    const { sentPackets, latenessMin } = await ended(started(sent, 20_000, { qdiscBypass: false }));
    assert.ok(sentPackets === 500n && latenessMin >= 0n);
    const seen = await received();
    assert.equal(seen.length, sent.length);
    for (const [i, bytes] of seen.entries()) assert.ok(bytes.equals(sent[i]!), `frame ${i} is another`);
  });

  test('refusals of a frame tell the error of the kernel', async () => {
    const before = arrived();
    const large = [60, 1515, 1514, 9000, 60].map((length, i) => experimentalFrame(length, i));
    const { sentPackets, sentBytes, refusedOversize, lastErrno } = await ended(started(large, 0));
    assert.deepEqual([sentPackets, sentBytes, refusedOversize, lastErrno], [3n, 1634n, 2n, EMSGSIZE]);
    const short = [experimentalFrame(60, 0), new Uint8Array(5), new Uint8Array(0), experimentalFrame(60, 1)];
    const ofShort = await ended(started(short, 0));
    assert.deepEqual([ofShort.sentPackets, ofShort.refusedOther, ofShort.lastErrno], [2n, 2n, EINVAL]);
    assert.equal(arrived() - before, 5);
  });

  test('a full queue is waited for, and what it does not take is refused as the kernel tells', async (t) => {
    // Few frames may be on their way; where these stay, it is full.
    await run('tc', `qdisc add dev ${NEAR} root tbf rate 1mbit burst 2000 limit 3000`.split(' '));
    t.after(() => run('tc', ['qdisc', 'delete', 'dev', NEAR, 'root']));
    const stats = await ended(started(frames(200, 1000), 0, { qdiscBypass: false }));
    assert.equal(stats.sentPackets + stats.refusedNoBuffers, 200n);
    assert.ok(stats.sentPackets > 0n && stats.refusedNoBuffers > 0n);
    assert.equal(stats.lastErrno, ENOBUFS);
  });

  test('the socket receives nothing', async () => {
    await pair.close();
    const before = arrived(NEAR);
    const handle = open();
    await ended(started(frames(100, 60), 0, { interface: FAR }));
    assert.equal(arrived(NEAR) - before, 100);
    /* sk RefCnt Type Proto Iface R Rmem User Inode */
    const sockets = readFileSync('/proc/self/net/packet', 'utf8').trim().split('\n').slice(1);
    assert.deepEqual(
      sockets.map((line) => line.trim().split(/\s+/)).map((field) => [field[3], field[6]]),
      [['0000', '0']],
    );
    native.close(handle);
  });

  test('an interface that is down, or without carrier, is that and not full', async () => {
    const handle = started(frames(30_000, 60), MS);
    for (const end of [NEAR, FAR]) {
      await sendMore(handle, 20n);
      await pair.change(`link set dev ${end} down`);
      await refuseMore(handle, 20n);
      assert.equal(statsOf(handle).lastErrno, ENETDOWN);
      if (end === NEAR) {
        assert.throws(() => open(), { code: 'ENETDOWN', syscall: 'bind', link: 'af_packet' });
      }
      await pair.change(`link set dev ${end} up`);
    }
    await sendMore(handle, 20n);
    native.close(handle);
    const stats = statsOf(handle);
    assert.equal(stats.sentPackets + stats.refusedLinkDown, stats.consumedPackets);
  });

  test('an interface removed while sending, then paused and closed: no hang', async () => {
    const handle = started(frames(5000, 60), MS, { txStamps: 'all' });
    await sendMore(handle, 20n);
    await pair.remove();
    await refuseMore(handle, 5n);
    native.pause(handle);
    native.close(handle);
    const stats = statsOf(handle);
    assert.equal(stats.sentPackets + stats.refusedLinkDown, stats.consumedPackets);
    assert.ok(stats.lastErrno === ENETDOWN || stats.lastErrno === ENXIO, `${stats.lastErrno}`);
  });

  test('interfaceFacts are those of this namespace', async () => {
    await pair.change('link set dev lo down', `link set dev ${NEAR} mtu 9000`);
    assert.equal(native.interfaceFacts('lo').up, false);
    const { mtu, up, running, loopback, hardwareType } = native.interfaceFacts(NEAR);
    assert.deepEqual([mtu, up, running, loopback, hardwareType], [9000, true, true, false, 1]);
    await pair.change(`link set dev ${FAR} down`);
    // The kernel looks at carriers in its own time.
    await until('the carrier is gone', () => !native.interfaceFacts(NEAR).running);
    assert.equal(native.interfaceFacts(NEAR).up, true);
  });

  test('an interface that is not there is ENODEV', () => {
    assert.throws(() => open({ interface: 'no-such-if' }), {
      code: 'ENODEV',
      syscall: 'ioctl',
      link: 'af_packet',
    });
  });

  test('without the capability it is EPERM', async () => {
    const drop = ['--ambient-caps=-net_raw', '--inh-caps=-net_raw', '--bounding-set=-net_raw'];
    const { code, output } = await runCase(new URL('support/no-capability.ts', import.meta.url), [], {
      wrapper: ['setpriv', ...drop, '--'],
    });
    assert.equal(code, 0, output);
  });

  describe('transmit stamps', () => {
    /** A frame has left before the call that sent it is over; one given to the wrong frame would be milliseconds off. */
    function assertNearTheCall({ stampsMax, latenessMax }: PacerStats): void {
      assert.ok(stampsMax <= latenessMax + BigInt(MS), `${stampsMax} ${latenessMax}`);
    }

    /** Sends frames in pairs, a pair each half millisecond, and holds what is known of their departures against it. */
    async function stamped(
      txStamps: 'sample' | 'all',
      options: Partial<PacerOptions> = {},
    ): Promise<PacerStats> {
      const handle = open({ txStamps, ...options });
      const writer = ringWriter(handle);
      for (const [i, bytes] of frames(500, 60).entries()) writer.frame(bytes, (i >> 1) * 500_000);
      writer.commit();
      native.end(handle);
      native.start(handle, native.monotonicNow() + BigInt(MS));
      const stats = await waitForState(handle, 'done');
      const samples = native.departures(handle, new BigInt64Array(HISTOGRAM_BUCKETS));
      native.close(handle);
      assert.equal(stats.sentPackets, 500n);
      assert.equal(BigInt(samples), stats.stampsTaken);
      assert.ok(stats.stampsMax > 0n);
      assertNearTheCall(stats);
      return stats;
    }

    test('every frame that asks when it left is told, with and without the queueing discipline', async () => {
      for (const qdiscBypass of [true, false]) {
        const { stampsAsked, stampsTaken } = await stamped('all', { qdiscBypass });
        assert.deepEqual([stampsAsked, stampsTaken], [500n, 500n]);
      }
    });

    test('a sample asks once in a millisecond', async () => {
      const { stampsAsked, stampsTaken } = await stamped('sample');
      assert.equal(stampsTaken, stampsAsked);
      // In what a busy host makes of 125 ms; which frames ask is held on a made clock in core-test.c.
      assert.ok(stampsAsked > 0n && stampsAsked < 500n, `${stampsAsked}`);
    });

    test('at top speed no more ask than answers come in', async () => {
      const stats = await ended(started(frames(20_000, 60), 0, { txStamps: 'all' }));
      assert.equal(stats.sentPackets, 20_000n);
      assert.ok(stats.stampsAsked >= 4096n && stats.stampsTaken <= stats.stampsAsked);
      assert.ok(stats.stampsTaken >= 64n, `${stats.stampsTaken}`);
    });

    test('a refused frame that asked brings no stamp to the wrong frame', async () => {
      // Refused frames among those that ask, of which some kernels count the question all the same.
      const sent = Array.from({ length: 20_000 }, (_, i) => experimentalFrame(i % 100 === 50 ? 3000 : 60, i));
      const handle = started(sent, MS, { txStamps: 'all' });
      await sendMore(handle, 210n);
      await pair.change(`link set dev ${FAR} down`);
      await refuseMore(handle, 20n);
      await pair.change(`link set dev ${FAR} up`);
      await sendMore(handle, 210n);
      native.close(handle);
      const stats = statsOf(handle);
      assert.ok(stats.refusedOversize >= 4n);
      assert.equal(stats.sentPackets + stats.refusedLinkDown + stats.refusedOversize, stats.consumedPackets);
      assert.ok(stats.stampsTaken > 100n && stats.stampsTaken <= stats.stampsAsked, `${stats.stampsTaken}`);
      assertNearTheCall(stats);
    });

    test('a pause moves the due times that departures are held against', async () => {
      const handle = started(frames(200, 60), MS, { txStamps: 'all' });
      await sendMore(handle, 50n);
      native.pause(handle);
      await sleep(150);
      native.resume(handle);
      const stats = await ended(handle);
      assert.deepEqual([stats.sentPackets, stats.stampsAsked, stats.stampsTaken], [200n, 200n, 200n]);
      assert.ok(stats.pausedNs >= BigInt(150 * MS));
      assertNearTheCall(stats);
    });
  });
});
