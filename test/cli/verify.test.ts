// `capfleet verify`: what a far end received, held against what was to be sent, with known differences put in.
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, test } from 'node:test';
import type { Finding } from '@capfleet/shared/contract/report';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import { runCapfleet, type Ended } from '../support/capfleet.ts';
import { pcapFile, type PcapRecord } from '../support/pcap-writer.ts';
import { tempDir } from '../support/temp-dir.ts';

const SECOND = 1_000_000_000;
const START = 1_700_000_000;

/** Packets of their own bytes, a millisecond apart; every tenth has those of the one before. */
const packets = Array.from({ length: 100 }, (_, index) => ({
  at: index * 1_000_000,
  data: Buffer.alloc(70 + (index % 5), index % 10 === 9 ? index - 1 : index),
}));
type Packet = (typeof packets)[number];

function capture(of: readonly Packet[], seconds = START): Buffer {
  const records = of.map(({ at, data }): PcapRecord => ({
    seconds: seconds + Math.floor(at / SECOND),
    fraction: at % SECOND,
    data,
  }));
  return pcapFile({ magic: 'ns' }, records);
}

type Found = Comparison & {
  readonly verdict: { readonly holds: boolean; readonly findings: readonly Finding[] };
  readonly reasons: readonly string[];
  readonly farEnd: { readonly kept: number | null; readonly resolutions: readonly string[] };
};

interface Verified {
  readonly code: number | null;
  readonly found: Found;
  readonly text: string;
}

const run = (args: readonly string[]): Promise<Ended> => runCapfleet(['verify', ...args]);

async function verify(
  t: Parameters<typeof tempDir>[0],
  received: readonly Packet[],
  ...args: readonly string[]
): Promise<Verified> {
  const dir = await tempDir(t);
  const [source, far] = [join(dir, 'source.pcap'), join(dir, 'far.pcap')];
  await writeFile(source, capture(packets));
  await writeFile(far, capture(received, START + 5000));
  const command = ['--source', source, '--received', far, ...args];
  const { code, stdout, stderr } = await run([...command, '--json']);
  assert.ok(code === 0 || code === 4, stderr);
  const shown = await run(command);
  assert.equal(shown.code, code);
  return { code, found: JSON.parse(stdout) as Found, text: shown.stdout };
}

describe('capfleet verify', { concurrency: 2 }, () => {
  test('finds nothing where all is as planned, whatever the clock of the far end', async (t) => {
    const { code, found, text } = await verify(t, packets);
    assert.equal(code, 0);
    assert.deepEqual([found.sent, found.matched, found.lost, found.foreign], [100, 100, 0, 0]);
    assert.deepEqual(found.order, { inversions: 0, displaced: 0 });
    assert.equal(found.timing?.deviation.max, 0);
    assert.deepEqual(found.consistency, { U: 0, O: 0, L: 0, I: 0, kappa: 1 });
    assert.match(text, /^100 of 100 packets arrived, in order\n/);
    assert.doesNotMatch(text, /that was planned/);
  });

  test('says so where options of the replay seem to be missing', async (t) => {
    const received = packets.map(({ at, data }) => ({ at: at / 10, data }));
    const note = /note: it took 0\.100 × the time that was planned: give the options of the replay/;
    assert.match((await verify(t, received)).text, note);
    assert.doesNotMatch((await verify(t, received, '--time-modifier', '10')).text, note);
  });

  test('tells what was lost, what nobody sent, and what came out of order', async (t) => {
    const received = packets.filter((_, index) => index % 25 !== 3);
    const [tenth, eleventh] = [received[10], received[11]];
    if (tenth && eleventh)
      received.splice(10, 2, { ...eleventh, at: tenth.at }, { ...tenth, at: eleventh.at });
    received.push({
      at: 99_500_000,
      data: Buffer.from('of somebody else, as long as a frame may be at the least, or so'),
    });
    const { code, found, text } = await verify(t, received);
    assert.equal(code, 4);
    assert.deepEqual([found.matched, found.lost, found.foreign], [96, 4, 1]);
    assert.deepEqual(found.order, { inversions: 1, displaced: 1 });
    assert.ok(found.consistency.U > 0 && found.consistency.O > 0 && found.consistency.kappa < 1);
    assert.match(
      text,
      /96 of 100 packets arrived, 4 lost, 1 out of order \(\d+ inversions?\), 1 of 97 received was not in the plan/,
    );
  });

  test('measures lateness, gaps and drift to the nanosecond', async (t) => {
    // 100 ppm slow, and packet 50 late by 7,777 ns.
    const received = packets.map(({ at, data }, index) => ({
      at: Math.round(at * 1.0001) + (index === 50 ? 7777 : 0),
      data,
    }));
    const { timing } = (await verify(t, received)).found;
    assert.ok(timing);
    assert.equal(timing.deviation.max, 5000 + 7777);
    assert.equal(timing.deviation.p50, 4900);
    assert.equal(timing.gapError.max, 7877);
    assert.equal(timing.gapError.p50, 100);
    assert.equal(timing.endDeviation, 9900);
    assert.ok(Math.abs((timing.drift ?? 0) - 100) < 10);
  });

  test('knows speed, window and loops', async (t) => {
    const twice = [...packets, ...packets].map(({ data }, index) => ({
      at: Math.floor(index / 100) * 49_500_000 + (index % 100) * 500_000,
      data,
    }));
    const { code, found } = await verify(t, twice, '--time-modifier', '2', '--loop-count', '2');
    assert.equal(code, 0);
    assert.deepEqual([found.sent, found.timing?.deviation.max], [200, 0]);
    const late = packets.slice(50);
    const windowed = await verify(t, late, '--time-from', '2023-11-14T22:13:20.05Z');
    assert.deepEqual([windowed.code, windowed.found.sent], [0, 50]);
  });

  test('takes the padding of a short frame for what it is', async (t) => {
    const dir = await tempDir(t);
    const short = [{ at: 0, data: Buffer.from('short') }];
    const padded = [{ at: 0, data: Buffer.concat([Buffer.from('short'), Buffer.alloc(55)]) }];
    await writeFile(join(dir, 'a.pcap'), capture(short));
    await writeFile(join(dir, 'b.pcap'), capture(padded));
    const args = ['--source', join(dir, 'a.pcap'), '--received', join(dir, 'b.pcap')];
    assert.equal((await run(args)).code, 0);
  });

  test('names each limit that is not kept, and ends with 4', async (t) => {
    const slow = packets.map(({ at, data }) => ({ at: Math.round(at * 1.0001), data }));
    const kept = ['--max-deviation-p99', '10us', '--max-drift', '101ppm', '--max-gap-error', '100ns'];
    assert.equal((await verify(t, slow, ...kept)).code, 0);
    const broken = await verify(t, slow, '--max-deviation-p99', '9us', '--max-drift', '5ppm');
    assert.equal(broken.code, 4);
    assert.deepEqual(
      broken.found.verdict.findings.filter(({ holds }) => !holds).map(({ check }) => check),
      ['deviation p99', 'drift'],
    );
    assert.match(
      broken.text,
      /the verdict does not hold\n {2}deviation p99: 9.8 µs \(limit 9 µs\)\n {2}drift: 100/,
    );
    const lossy = await verify(t, packets.slice(0, -3), '--max-loss', '3');
    assert.deepEqual([lossy.code, lossy.found.lost], [0, 3]);
    assert.equal((await verify(t, packets.slice(0, -3), '--max-loss', '2')).code, 4);
    assert.equal((await verify(t, packets.slice(0, -3), '--max-loss', 'any')).code, 0);
  });

  test('others may use the wire, unless that is forbidden; what came twice is not theirs', async (t) => {
    const arp = { at: 10_500_000, data: Buffer.from('ffffffffffff0200000000010806', 'hex') };
    const router = {
      at: 20_500_000,
      data: Buffer.from(`33330000000102000000000286dd${'60'.repeat(60)}`, 'hex'),
    };
    const shared = [...packets.slice(0, 11), arp, ...packets.slice(11, 21), router, ...packets.slice(21)];
    const { code, found } = await verify(t, shared);
    assert.deepEqual([code, found.matched, found.foreign, found.lost], [0, 100, 2, 0]);
    assert.equal((await verify(t, shared, '--max-foreign', '1')).code, 4);
    const [first] = packets;
    assert.ok(first);
    const twice = await verify(t, [first, { ...first, at: 100 }, ...packets.slice(1)]);
    assert.deepEqual([twice.code, twice.found.duplicated, twice.found.foreign], [4, 1, 0]);
    assert.match(twice.text, /1 more often than sent/);
  });

  test('one packet lost in one of three loops is that one, and nothing else moves', async (t) => {
    const received = [0, 1, 2]
      .flatMap((loop) => packets.map(({ at, data }) => ({ at: at + loop * 99_000_000, data })))
      .filter((_, index) => index !== 42);
    const { found } = await verify(t, received, '--loop-count', '3');
    assert.deepEqual([found.sent, found.lost, found.order.displaced], [300, 1, 0]);
    assert.equal(found.timing?.deviation.max, 0);
  });

  test('measures lateness where the start is known by the clock of the far end', async (t) => {
    const late = packets.map(({ at, data }, index) => ({ at: at + 1000 + (index === 30 ? 5000 : 0), data }));
    const { found, text } = await verify(t, late, '--started-at', '2023-11-14T23:36:40Z');
    assert.deepEqual(
      [found.lateness?.p50, found.lateness?.max, found.lateness?.earliest],
      [1000, 6000, 1000],
    );
    assert.match(text, /lateness +1 µs/);
    assert.equal((await verify(t, late)).found.lateness, null);
    assert.equal(
      (await verify(t, late, '--max-lateness', '1s')).code,
      4,
      'what is not measured does not hold',
    );
  });

  test('knows packets by what a far end kept of them', async (t) => {
    const dir = await tempDir(t);
    const long = packets.map(({ at, data }, index) => ({
      at,
      data: Buffer.concat([data, Buffer.alloc(index)]),
    }));
    const records = long.map(({ at, data }): PcapRecord => ({
      seconds: START,
      fraction: at,
      data: data.subarray(0, 64),
      wireLength: data.length,
    }));
    await writeFile(join(dir, 'a.pcap'), capture(long));
    await writeFile(join(dir, 'b.pcap.gz'), gzipSync(pcapFile({ magic: 'ns', snaplen: 64 }, records)));
    const args = ['--source', join(dir, 'a.pcap'), '--received', join(dir, 'b.pcap.gz')];
    const { code, stdout } = await run([...args, '--json']);
    const found = JSON.parse(stdout) as Found;
    assert.deepEqual([code, found.matched, found.foreign, found.farEnd.kept], [0, 100, 0, 64]);
    assert.match((await run(args)).stdout, /note: the far end kept 64 bytes of a packet/);
  });

  test('says why nothing matches where a far end takes VLAN tags off or merges segments', async (t) => {
    const dir = await tempDir(t);
    const header = Buffer.alloc(12, 2);
    const body = (index: number): Buffer<ArrayBuffer> =>
      Buffer.concat([Buffer.from([8, 0]), Buffer.alloc(80, index)]);
    const made = (of: (index: number) => Buffer<ArrayBuffer>): Packet[] =>
      Array.from({ length: 50 }, (_, index) => ({ at: index * 1000, data: of(index) }));
    const tagged = made((index) => Buffer.concat([header, Buffer.from('81000064', 'hex'), body(index)]));
    const plain = made((index) => Buffer.concat([header, body(index)]));
    const merged = made((index) => Buffer.concat([header, body(index), body(index + 1)])).slice(0, 25);
    const other = made((index) => Buffer.concat([header, body(index + 100)]));
    const reasons = async (
      sent: readonly Packet[],
      received: readonly Packet[],
    ): Promise<readonly string[]> => {
      await writeFile(join(dir, 'a.pcap'), capture(sent));
      await writeFile(join(dir, 'b.pcap'), capture(received));
      const args = ['--source', join(dir, 'a.pcap'), '--received', join(dir, 'b.pcap'), '--json'];
      const { code, stdout } = await run(args);
      assert.equal(code, 4);
      return (JSON.parse(stdout) as Found).reasons;
    };
    assert.match(
      (await reasons(tagged, plain)).join(),
      /^50 frames that were to be sent have a VLAN tag, 0 .* taken off/,
    );
    assert.match((await reasons(plain, tagged)).join(), /a tag is put on/);
    assert.match((await reasons(plain, merged)).join(), /segments are merged on the way/);
    assert.match((await reasons(plain, other)).join(), /another set, or every frame is changed/);
  });

  test('draws the three plots, and leaves the folder alone where it may not write', async (t) => {
    const dir = await tempDir(t);
    const plots = join(dir, 'plots');
    assert.equal((await verify(t, packets, '--plots', plots)).code, 0);
    assert.deepEqual((await readdir(plots)).sort(), ['deviation.svg', 'gap-error.svg', 'packet-rate.svg']);
    assert.match(
      await readFile(join(plots, 'deviation.svg'), 'utf8'),
      /source\.pcap: deviation from the schedule/,
    );
    const file = join(dir, 'a.pcap');
    await writeFile(file, capture(packets));
    const args = ['--source', file, '--received', file, '--plots', join(file, 'x')];
    const shown = await run(args);
    assert.equal(shown.code, 1);
    assert.match(shown.stdout, /100 of 100 packets arrived/);
    assert.match(shown.stderr, /cannot write plots into .*a\.pcap/);

    const { code, stdout, stderr } = await runCapfleet(['verify', ...args, '--json']);
    const { matched, error } = JSON.parse(stdout) as Found & { readonly error: { readonly code: string } };
    assert.deepEqual([code, matched, error.code], [1, 100, 'plot-unwritable'], 'one document has both');
    assert.match(stderr, /cannot write plots into .*a\.pcap/);
  });

  test('judges completeness and order alone where nothing waited', async (t) => {
    const fast = packets.map(({ data }, index) => ({ at: index * 1000, data }));
    const { code, found, text } = await verify(t, fast, '--topspeed', '--started-at', '2023-11-14T23:36:40Z');
    assert.deepEqual([code, found.timed, found.timing, found.lateness], [0, false, null, null]);
    assert.deepEqual(found.consistency, { U: 0, O: 0, L: null, I: null, kappa: 1 });
    assert.match(
      text,
      /arrived, in order\n\nthe plan has no times \(--topspeed\)[^]*κ 1.000000 \(U 0.0, O 0.0;/,
    );
    const late = await verify(t, fast, '--wait-disable', '--max-deviation', '1h');
    assert.deepEqual([late.code, late.text.includes('deviation max: not measurable')], [4, true]);
    assert.equal((await verify(t, fast.slice(1), '--topspeed')).found.lost, 1);
  });

  test('holds the far end of one of several sensors against the share of that sensor', async (t) => {
    const dir = await tempDir(t);
    const others = packets.map(({ at, data }) => ({
      at: at + 1,
      data: Buffer.from(data).reverse().fill(255, 0, 9),
    }));
    await writeFile(join(dir, 'a.pcap'), capture(packets));
    await writeFile(join(dir, 'b.pcap'), capture(others));
    // 50 packets of this sensor, at twice their rate.
    const received = others.slice(0, 50).map(({ data }, index) => ({ at: index * 500_000, data }));
    await writeFile(join(dir, 'far.pcap'), capture(received));
    const args = ['--source', join(dir, 'a.pcap'), join(dir, 'b.pcap'), '--received', join(dir, 'far.pcap')];
    const shared = ['--sensors', 'x,y', '--assign', 'x=a\\.pcap', '--assign', 'y=b\\.pcap'];
    const { code, stdout } = await run([
      ...[...args, ...shared, '--sensor', 'y', '--pps', '2000', '--limit', '50', '--json'],
    ]);
    const { sent, matched, timing } = JSON.parse(stdout) as Found;
    assert.deepEqual([code, sent, matched, timing?.deviation.max], [0, 50, 50, 0]);
    for (const [said, ...wrong] of [
      [/--sensor is needed with --sensors/, ...shared],
      [/it is none of --sensors: x, y/, ...shared, '--sensor', 'z'],
      [/--sensors is needed with --sensor/, '--sensor', 'x'],
    ] as const) {
      const { code, stderr } = await run([...args, ...wrong]);
      assert.equal(code, 2);
      assert.match(stderr, said);
    }
  });

  test('refuses what it cannot use, and names it', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'no capture');
    await writeFile(path, 'no capture');
    await writeFile(join(dir, 'a.pcap'), capture(packets));
    const args = ['--source', join(dir, 'a.pcap'), '--received', path];
    const { code, stderr } = await run(args);
    assert.equal(code, 1);
    assert.match(stderr, /no capture cannot be used: .*not a capture/);
    assert.equal((await run([...args, '--loop-infinite'])).code, 2);
  });
});
