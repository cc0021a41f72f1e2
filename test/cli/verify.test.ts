// `capfleet verify`: what a far end received, held against what was to be sent, with known differences put in.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import { runCapfleet } from '../support/capfleet.ts';
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

interface Verified {
  readonly code: number | null;
  readonly found: Comparison;
  readonly text: string;
}

async function verify(
  t: Parameters<typeof tempDir>[0],
  received: readonly Packet[],
  ...args: readonly string[]
): Promise<Verified> {
  const dir = await tempDir(t);
  const [source, far] = [join(dir, 'source.pcap'), join(dir, 'far.pcap')];
  await writeFile(source, capture(packets));
  await writeFile(far, capture(received, START + 5000));
  const command = ['verify', '--source', source, '--received', far, ...args];
  const { code, stdout, stderr } = await runCapfleet([...command, '--json']);
  assert.ok(code === 0 || code === 4, stderr);
  const shown = await runCapfleet(command);
  assert.equal(shown.code, code);
  return { code, found: JSON.parse(stdout) as Comparison, text: shown.stdout };
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
      /96 of 100 packets arrived, 4 lost, 1 of 97 received were not in the plan, 1 out of order/,
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
    const args = ['verify', '--source', join(dir, 'a.pcap'), '--received', join(dir, 'b.pcap')];
    assert.equal((await runCapfleet(args)).code, 0);
  });

  test('refuses what it cannot use, and names it', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'no capture');
    await writeFile(path, 'no capture');
    await writeFile(join(dir, 'a.pcap'), capture(packets));
    const { code, stderr } = await runCapfleet([
      'verify',
      '--source',
      join(dir, 'a.pcap'),
      '--received',
      path,
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /no capture cannot be used: .*not a capture/);
    const endless = ['--source', join(dir, 'a.pcap'), '--received', path, '--loop-infinite'];
    assert.equal((await runCapfleet(['verify', ...endless])).code, 2);
  });
});
