/** Cases for the raw socket, each run in a new network namespace as `af-packet-cases.ts <name>`: near and far are a veth pair. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  HISTOGRAM_BUCKETS,
  type PacerHandle,
  type PacerOptions,
} from '../../../services/replayer/src/native/binding.ts';
import { createPacer, native } from './native.ts';
import { statsOf, waitFor, waitForState, type PacerStats } from './pacer-stats.ts';
import { parsePcap } from './pcap.ts';
import { ringWriter } from './ring-writer.ts';

const MS = 1_000_000;
const ENXIO = 6n;
const ENETDOWN = 100n;

function ip(command: string): void {
  execFileSync('ip', command.split(' '), { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Both ends up, and neither says anything by itself. */
function makePair(): void {
  ip('link add near type veth peer name far');
  for (const name of ['near', 'far']) {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
    ip(`link set ${name} arp off up`);
  }
}

function received(name: string): number {
  const line = readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .find((text) => text.trim().startsWith(`${name}:`));
  return Number(line!.trim().split(/\s+/)[2]);
}

/** An Ethernet frame of a local experimental type; its number is in the payload. */
function frame(length: number, number: number): Uint8Array {
  const bytes = Buffer.alloc(length, number & 0xff);
  bytes.write('020000000002020000000001', 0, 'hex');
  bytes.writeUInt16BE(0x88b5, 12);
  bytes.writeUInt32BE(number, 14);
  return new Uint8Array(bytes);
}

function open(options: Partial<PacerOptions> = {}): PacerHandle {
  return createPacer({ link: 'af_packet', interface: 'near', ringBytes: 1 << 22, ...options });
}

async function send(
  frames: readonly Uint8Array[],
  gap: number,
  options: Partial<PacerOptions> = {},
): Promise<PacerStats> {
  const handle = open(options);
  native.start(handle, native.monotonicNow());
  await ringWriter(handle).feed(frames.map((bytes, i) => ({ bytes, due: i * gap })));
  native.end(handle);
  const stats = await waitForState(handle, 'done');
  native.close(handle);
  return stats;
}

/**
 * Sends a frame per millisecond for up to 30 s and stops when `meanwhile` is through, which begins after the first 50.
 * Every frame must have been sent or refused because the link was down.
 */
async function sendDuring(meanwhile: (handle: PacerHandle) => Promise<unknown>): Promise<PacerStats> {
  const handle = open();
  const writer = ringWriter(handle);
  for (let i = 0; i < 30_000; i++) writer.frame(frame(60, i), i * MS);
  writer.commit();
  native.start(handle, native.monotonicNow());
  await sendMore(handle, 50n);
  await meanwhile(handle);
  native.stop(handle);
  const stats = await waitForState(handle, 'stopped');
  native.close(handle);
  assert.equal(stats.sentPackets + stats.refusedLinkDown, stats.consumedPackets);
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

/** Runs `send` while tcpdump listens on far; the frames it saw, or null where there is no tcpdump. */
async function captured(count: number, send: () => Promise<unknown>): Promise<readonly Uint8Array[] | null> {
  if (spawnSync('tcpdump', ['--version']).status !== 0) {
    process.stdout.write('no tcpdump here: frames are counted, not compared\n');
    await send();
    return null;
  }
  const folder = mkdtempSync(join(tmpdir(), 'capfleet-af-packet-'));
  try {
    const path = join(folder, 'far.pcap');
    const tcpdump = spawn(
      'tcpdump',
      ['-i', 'far', '-w', path, '-U', '-B', '65536', '-Z', 'root', '--immediate-mode', '-s', '2048'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const ended = once(tcpdump, 'exit');
    await once(tcpdump.stderr, 'data'); // listening on …
    await send();
    for (let i = 0; i < 200 && parsePcap(readFileSync(path)).packets.length < count; i++) await sleep(10);
    tcpdump.kill('SIGINT');
    await ended;
    return parsePcap(readFileSync(path)).packets.map((packet) => packet.bytes);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function arrives(options: Partial<PacerOptions>): Promise<void> {
  const frames = Array.from({ length: 2000 }, (_, i) => frame(60 + ((i * 37) % 1455), i));
  const seen = await captured(frames.length, async () => {
    const stats = await send(frames, 20_000, options);
    assert.equal(stats.sentPackets, 2000n);
    assert.equal(stats.sentBytes, BigInt(frames.reduce((sum, bytes) => sum + bytes.length, 0)));
    assert.ok(stats.latenessMin >= 0n);
  });
  assert.equal(received('far'), 2000);
  if (seen === null) return;
  assert.equal(seen.length, frames.length);
  for (const [i, bytes] of seen.entries()) assert.deepEqual(bytes, frames[i]);
}

/** Sends frames in pairs, a pair each half millisecond, and holds what is known of their departures against it. */
async function stamped(txStamps: 'sample' | 'all', options: Partial<PacerOptions> = {}): Promise<PacerStats> {
  const handle = open({ txStamps, ...options });
  const writer = ringWriter(handle);
  for (let i = 0; i < 1000; i++) writer.frame(frame(60, i), (i >> 1) * 500_000);
  writer.commit();
  native.end(handle);
  native.start(handle, native.monotonicNow() + BigInt(MS));
  const stats = await waitForState(handle, 'done');
  const counts = new BigInt64Array(HISTOGRAM_BUCKETS);
  const samples = native.departures(handle, counts);
  native.close(handle);
  assert.equal(stats.sentPackets, 1000n);
  assert.equal(BigInt(samples), stats.stampsTaken);
  // A frame has left before the call that sent it is over, if not before it is due.
  assert.ok(
    stats.stampsMax > 0n && stats.stampsMax <= stats.latenessMax + BigInt(MS),
    `${stats.stampsMax} ${stats.latenessMax}`,
  );
  return stats;
}

const CASES: Record<string, () => Promise<void>> = {
  'stamps-all': async () => {
    const { stampsAsked, stampsTaken } = await stamped('all');
    assert.deepEqual([stampsAsked, stampsTaken], [1000n, 1000n]);
  },
  'stamps-with-qdisc': async () => {
    const { stampsAsked, stampsTaken } = await stamped('all', { qdiscBypass: false });
    assert.deepEqual([stampsAsked, stampsTaken], [1000n, 1000n]);
  },
  'stamps-sample': async () => {
    const { stampsAsked, stampsTaken } = await stamped('sample');
    assert.equal(stampsTaken, stampsAsked);
    // In 250 ms, and in what a busy host makes of them; which frames ask is held on a made clock in core-test.c.
    assert.ok(stampsAsked > 0n && stampsAsked < 1000n, `${stampsAsked}`);
  },
  'stamps-at-top-speed': async () => {
    const frames = Array.from({ length: 20_000 }, (_, i) => frame(60, i));
    const stats = await send(frames, 0, { txStamps: 'all' });
    assert.equal(stats.sentPackets, 20_000n);
    assert.ok(stats.stampsAsked >= 4096n && stats.stampsTaken <= stats.stampsAsked);
    assert.ok(stats.stampsTaken >= 64n, `${stats.stampsTaken}`);
  },
  'stamps-and-refusals': async () => {
    // Refused frames among those that ask, of which some kernels count the question all the same.
    const handle = open({ txStamps: 'all' });
    const writer = ringWriter(handle);
    for (let i = 0; i < 500; i++) writer.frame(frame(i % 100 === 50 ? 3000 : 60, i), i * MS);
    writer.commit();
    native.end(handle);
    native.start(handle, native.monotonicNow() + BigInt(MS));
    await sendMore(handle, 210n);
    ip('link set far down');
    await refuseMore(handle, 20n);
    ip('link set far up');
    const stats = await waitForState(handle, 'done');
    native.close(handle);
    assert.equal(stats.refusedOversize, 5n);
    assert.equal(stats.sentPackets + stats.refusedLinkDown + stats.refusedOversize, 500n);
    assert.ok(stats.stampsTaken > 100n && stats.stampsTaken <= stats.stampsAsked, `${stats.stampsTaken}`);
    // One that was given to the wrong frame would be milliseconds off.
    assert.ok(stats.stampsMax <= stats.latenessMax + BigInt(MS), `${stats.stampsMax} ${stats.latenessMax}`);
  },
  'stamps-across-a-pause': async () => {
    const handle = open({ txStamps: 'all' });
    const writer = ringWriter(handle);
    for (let i = 0; i < 200; i++) writer.frame(frame(60, i), i * MS);
    writer.commit();
    native.end(handle);
    native.start(handle, native.monotonicNow() + BigInt(MS));
    await sendMore(handle, 50n);
    native.pause(handle);
    await sleep(150);
    native.resume(handle);
    const stats = await waitForState(handle, 'done');
    native.close(handle);
    assert.deepEqual([stats.sentPackets, stats.stampsAsked, stats.stampsTaken], [200n, 200n, 200n]);
    assert.ok(stats.pausedNs >= BigInt(150 * MS));
    assert.ok(stats.stampsMax <= stats.latenessMax + BigInt(MS), `${stats.stampsMax} ${stats.latenessMax}`);
  },
  'queue-full': async () => {
    // A socket may have a few frames on their way; where these stay, it is full.
    execFileSync('tc', 'qdisc add dev near root tbf rate 1mbit burst 2000 limit 3000'.split(' '));
    const frames = Array.from({ length: 400 }, (_, i) => frame(1000, i));
    const stats = await send(frames, 0, { qdiscBypass: false });
    assert.equal(stats.sentPackets + stats.refusedNoBuffers, 400n);
    assert.ok(stats.refusedNoBuffers > 0n && stats.lastErrno === 105n, `${stats.lastErrno}`);
  },
  'removed-and-closed': async () => {
    const handle = open({ txStamps: 'all' });
    const writer = ringWriter(handle);
    for (let i = 0; i < 5000; i++) writer.frame(frame(60, i), i * MS);
    writer.commit();
    native.start(handle, native.monotonicNow());
    await sendMore(handle, 20n);
    ip('link delete near');
    await refuseMore(handle, 5n);
    native.pause(handle);
    native.close(handle);
    const stats = statsOf(handle);
    assert.equal(stats.sentPackets + stats.refusedLinkDown, stats.consumedPackets);
    assert.equal(stats.lastErrno === ENETDOWN || stats.lastErrno === ENXIO, true, `${stats.lastErrno}`);
  },
  arrives: () => arrives({ qdiscBypass: true }),
  'arrives-with-qdisc': () => arrives({ qdiscBypass: false }),
  oversize: async () => {
    const lengths = [60, 1515, 1514, 9000, 60];
    const frames = lengths.map(frame);
    const stats = await send(frames, 0);
    assert.deepEqual([stats.sentPackets, stats.refusedOversize, stats.lastErrno], [3n, 2n, 90n]);
    assert.equal(stats.sentBytes, 60n + 1514n + 60n);
    assert.equal(received('far'), 3);
  },
  'too-short': async () => {
    const stats = await send([frame(60, 0), new Uint8Array(5), new Uint8Array(0), frame(60, 1)], 0);
    assert.deepEqual([stats.sentPackets, stats.refusedOther, stats.lastErrno], [2n, 2n, 22n]);
    assert.equal(received('far'), 2);
  },
  'receives-nothing': async () => {
    const handle = open();
    const back = createPacer({ link: 'af_packet', interface: 'far' });
    const writer = ringWriter(back);
    for (let i = 0; i < 100; i++) writer.frame(frame(60, i), 0);
    writer.commit();
    native.end(back);
    native.start(back, native.monotonicNow());
    await waitForState(back, 'done');
    assert.equal(received('near'), 100);
    /* sk RefCnt Type Proto Iface R Rmem User Inode */
    const sockets = readFileSync('/proc/self/net/packet', 'utf8').trim().split('\n').slice(1);
    assert.deepEqual(
      sockets.map((line) => line.trim().split(/\s+/)).map((field) => [field[3], field[6]]),
      [
        ['0000', '0'],
        ['0000', '0'],
      ],
    );
    native.close(handle);
  },
  'down-and-up': async () => {
    const stats = await sendDuring(async (handle) => {
      for (let i = 0; i < 3; i++) {
        ip('link set near down');
        await refuseMore(handle, 50n);
        ip('link set near up');
        await sendMore(handle, 50n);
      }
    });
    assert.equal(stats.lastErrno, ENETDOWN);
    assert.equal(received('far'), Number(stats.sentPackets));
  },
  'no-carrier': async () => {
    const stats = await sendDuring(async (handle) => {
      ip('link set far down');
      await refuseMore(handle, 50n);
      ip('link set far up');
      await sendMore(handle, 50n);
    });
    assert.equal(stats.lastErrno, ENETDOWN);
  },
  removed: async () => {
    const handle = open();
    const writer = ringWriter(handle);
    for (let i = 0; i < 2000; i++) writer.frame(frame(60, i), i * MS);
    writer.commit();
    native.end(handle);
    native.start(handle, native.monotonicNow());
    await sendMore(handle, 50n);
    ip('link delete near');
    const stats = await waitForState(handle, 'done');
    assert.equal(stats.sentPackets + stats.refusedLinkDown, 2000n);
    assert.ok(stats.refusedLinkDown > 0n);
  },
  'made-again': async () => {
    await sendDuring(async (handle) => {
      ip('link delete near');
      await refuseMore(handle, 50n);
      makePair();
      await sendMore(handle, 100n);
    });
    assert.ok(received('far') >= 100);
  },
  'opened-down': async () => {
    ip('link set near down');
    assert.throws(() => open(), { code: 'ENETDOWN', syscall: 'bind', link: 'af_packet' });
  },
  facts: async () => {
    ip('link set lo down');
    assert.equal(native.interfaceFacts('lo').up, false);
    ip('link set near mtu 9000');
    const { mtu, up, running, loopback, hardwareType } = native.interfaceFacts('near');
    assert.deepEqual([mtu, up, running, loopback, hardwareType], [9000, true, true, false, 1]);
    ip('link set far down');
    assert.deepEqual(
      [native.interfaceFacts('near').up, native.interfaceFacts('near').running],
      [true, false],
    );
  },
  'no-capability': async () => {
    assert.throws(() => open({ interface: 'lo' }), { code: 'EPERM', syscall: 'socket', link: 'af_packet' });
    assert.equal(native.interfaceFacts('lo').loopback, true);
  },
};

const name = process.argv[2]!;
if (name !== 'no-capability') makePair();
await CASES[name]!();
