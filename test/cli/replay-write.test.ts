// `capfleet replay --write`: what would go out, with its due times to the nanosecond. Nothing is sent, no clock is
// asked, so that times are held exactly.
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseRational } from '@capfleet/shared/time/rational';
import { dueOf } from '@capfleet/shared/time/timeline';
import { runCapfleet, type Ended } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { numbersIn, stamps, type SetShape } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { makeMappedSet, numberingOf, timelineOf } from '../support/replay-cli.ts';

const SHAPE: SetShape = { 'a.pcap': stamps(0, 20, 7), 'b.pcap': stamps(3, 20, 5) };
const ORDER = timelineOf(SHAPE, numberingOf(SHAPE));
const START = 1_700_000_000_000_000_000n;
const MS = 1_000_000n;
/** ms after the start, of the packet of that number. */
const stampOf = (number: number): number => [...SHAPE['a.pcap']!, ...SHAPE['b.pcap']!][number]!;
const PERIOD = BigInt(19 * 7) * MS;

let set: MapPlace;
const cleanUp = lastFirst({ after });
before(async () => {
  set = await makeMappedSet(cleanUp, SHAPE);
});

let outputs = 0;
interface Written {
  ended: Ended;
  bytes: Buffer;
  packets: { number: number; time: bigint }[];
}
async function write(...args: readonly string[]): Promise<Written> {
  const out = join(set.dir, `written-${outputs++}.pcap`);
  const ended = await runCapfleet(['replay', '--dump-json', set.dump, '--write', out, ...args]);
  assert.equal(ended.code, 0, ended.stderr);
  const bytes = await readFile(out);
  const numbers = numbersIn(bytes);
  return {
    ended,
    bytes,
    packets: readPcap(bytes).packets.map(({ time }, index) => ({ number: numbers[index]!, time })),
  };
}

describe('capfleet replay --write', { concurrency: 2 }, () => {
  for (const [speed, loops] of [
    ['1', 1],
    ['0.37', 2],
    ['2.5', 3],
    ['1/3', 1],
  ] as const) {
    test(`stamps each packet with its due time, at speed ${speed}, ${loops} times`, async () => {
      const { packets } = await write('--time-modifier', speed, '--loop-count', String(loops));
      const expected = Array.from({ length: loops }, (_, loop) =>
        ORDER.map((number) => ({
          number,
          time:
            START + dueOf(START + BigInt(stampOf(number)) * MS, START, PERIOD, parseRational(speed)!, loop),
        })),
      ).flat();
      assert.deepEqual(packets, expected);
    });
  }

  test('begins with the window that is asked for', async () => {
    const args = ['--time-from', '2023-11-14T22:13:20.01', '--time-to', '2023-11-14T22:13:20.03'];
    const { packets } = await write(...args, '--time-modifier', '2');
    const inside = ORDER.filter((number) => stampOf(number) >= 10 && stampOf(number) <= 30);
    assert.deepEqual(
      packets,
      inside.map((number) => ({ number, time: START + 10n * MS + (BigInt(stampOf(number) - 10) * MS) / 2n })),
    );
  });

  test('goes by a rate and a limit', async () => {
    const { packets } = await write('--pps', '3', '--limit', '5', '--loop-infinite');
    assert.deepEqual(
      packets.map(({ time }) => time - START),
      [0n, 333_333_333n, 666_666_666n, 1_000_000_000n, 1_333_333_333n],
    );
  });

  test('gives the same bytes each time, and tells what it did', async () => {
    const [one, two] = [await write(), await write('--json')];
    assert.deepEqual(one.bytes, two.bytes);
    assert.match(one.ended.stdout, /^40 packets \(3\.9 KiB\) written to /);
    assert.match(one.ended.stdout, /due from 2023-11-14T22:13:20\.0+Z to 2023-11-14T22:13:20\.133000000Z/);
    const { packets, bytes, first, planned } = JSON.parse(two.ended.stdout) as {
      packets: number;
      bytes: number;
      first: string;
      planned: { read: number; loops: number; errors: unknown[] };
    };
    assert.deepEqual([packets, bytes, planned.read, planned.loops, planned.errors], [40, 4000, 40, 1, []]);
    assert.match(first, /^2023-11-14T22:13:20/);
  });

  test('is what verify expects', async () => {
    const out = join(set.dir, 'expected.pcap');
    const args = ['--time-modifier', '0.37', '--loop-count', '2'];
    assert.equal((await runCapfleet(['replay', '--dump-json', set.dump, '--write', out, ...args])).code, 0);
    const held = await runCapfleet(['verify', '--source', set.dump, '--received', out, ...args, '--json']);
    assert.equal(held.code, 0, held.stderr);
    const { timing } = JSON.parse(held.stdout) as { timing: { deviation: { max: number } } };
    assert.equal(timing.deviation.max, 0);
  });

  for (const [args, said] of [
    [['--loop-infinite'], /--write: a plan without end fills any disk/],
    [['--out-interface', 'null'], /--write.* cannot be used with .*--out-interface/],
    [['--sensors', 'a'], /--write.* cannot be used with .*--sensors/],
    [['--write', ''], /empty/],
  ] as const) {
    test(`with ${args.join(' ')} is refused as usage`, async () => {
      const command = ['replay', '--dump-json', set.dump, '--write', join(set.dir, 'refused.pcap')];
      const { code, stderr } = await runCapfleet([...command, ...args]);
      assert.equal(code, 2);
      assert.match(stderr, said);
    });
  }

  test('with --reorder puts in order what runs backwards, up to so much, and counts both', async (t) => {
    const other = await makeMappedSet(t, { 'a.pcap': [0, 30, 10, 20, 1500, 5, 2000, 700] });
    const play = async (...args: readonly string[]): Promise<[numbers: number[], stdout: string]> => {
      const out = join(other.dir, 'out.pcap');
      const command = ['replay', '--dump-json', other.dump, '--write', out, ...args];
      const { code, stdout, stderr } = await runCapfleet(command);
      assert.equal(code, 0, stderr);
      return [numbersIn(await readFile(out)), stdout];
    };
    const [wide, told] = await play('--reorder', '3s');
    assert.deepEqual(wide, [0, 5, 2, 3, 1, 7, 4, 6]);
    assert.match(told, /4 packets put in order/);
    const [usual, toldToo] = await play('--reorder');
    assert.deepEqual(usual, [0, 2, 3, 1, 5, 7, 4, 6]);
    assert.match(toldToo, /3 packets put in order[^]*1 stamp ran backwards/);
    const [narrow] = await play('--reorder', '15ms', '--skip-ooo');
    assert.deepEqual(narrow, [0, 2, 3, 1, 4, 6]);
  });

  test('of a set that is not what was mapped writes nothing, and leaves an old file', async (t) => {
    const other = await makeMappedSet(t, { 'a.pcap': [1, 2] });
    await rm(join(other.captures, 'a.pcap'));
    const out = join(other.dir, 'out.pcap');
    await writeFile(out, 'old');
    const { code, stderr } = await runCapfleet(['replay', '--dump-json', other.dump, '--write', out]);
    assert.equal(code, 1);
    assert.match(stderr, /no such file: .*a\.pcap/);
    assert.equal(await readFile(out, 'utf8'), 'old');
    assert.deepEqual(
      (await readdir(other.dir)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });
});

test('nothing that is to be played is written over', async () => {
  const path = join(set.captures, 'a.pcap');
  const before = await readFile(path);
  const { code, stderr } = await runCapfleet(['replay', '--dump-json', set.dump, '--write', path]);
  assert.equal(code, 1);
  assert.match(stderr, /it is a capture of the set/);
  assert.ok(before.equals(await readFile(path)));
});

test('the mapping and the file of the options are not written over', async () => {
  const options = join(set.dir, 'options.yaml');
  await writeFile(options, 'loop-count: 2\n');
  const before = await readFile(set.dump);
  for (const [out, said] of [
    [['--write', set.dump], /--write: .* is the mapping itself/],
    [['--out-interface', `file:${set.dump}`], /--out-interface: .* is the mapping itself/],
    [['--write', options], /is the file of the options itself/],
  ] as const) {
    const args = ['replay', '--dump-json', set.dump, '--config', options, ...out];
    const { code, stderr } = await runCapfleet(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, said);
  }
  assert.ok(before.equals(await readFile(set.dump)));
  assert.equal(await readFile(options, 'utf8'), 'loop-count: 2\n');
});

test('a window that begins where no calendar does is refused', async () => {
  const from = '9999-12-31T23:59:59-14:00';
  const args = ['replay', '--dump-json', set.dump, '--write', join(set.dir, 'no.pcap'), '--time-from', from];
  const { code, stderr } = await runCapfleet(args);
  assert.equal(code, 2);
  assert.match(stderr, /is no time/);
});
