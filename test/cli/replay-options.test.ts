// The options of `capfleet replay` that choose packets and times, by their effect on what goes out. Exact due times are
// held in test/unit/replayer/feed-options.test.ts; here the clock is real, and bounds are loose. One agent plays it all.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { runCapfleet } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps, type SetShape } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { startRedis } from '../support/redis-server.ts';
import {
  makeMappedSet,
  numberingOf,
  numbersOf,
  playedReport,
  runReplay,
  SHORT_LEAD,
  timelineOf,
} from '../support/replay-cli.ts';
import { startReplayer } from '../support/start-capfleet.ts';

/** Two files side by side, half a second each, then nothing for two seconds, then ten packets more. */
const SHAPE: SetShape = {
  'a.pcap': stamps(0, 50, 10),
  'b.pcap': [...stamps(5, 50, 10), 3, 4],
  'late.pcap': stamps(2500, 10, 10),
};
const NUMBERS = numberingOf(SHAPE);
const TIMELINE = timelineOf({ ...SHAPE, 'b.pcap': stamps(5, 50, 10) }, NUMBERS);
const ALL = 112;
const NOISE_MS = 200;

let set: MapPlace;
/** What the agent sends, written anew by each run. */
let out: string;
let redis: string;
const cleanUp = lastFirst({ after });

before(async () => {
  set = await makeMappedSet(cleanUp, SHAPE);
  out = join(set.dir, 'out.pcap');
  redis = (await startRedis(cleanUp)).url;
  await startReplayer(cleanUp, redis, 'a', ['--interface', `file:${out}`]);
});

interface Played {
  readonly report: RunReport;
  readonly numbers: number[];
  /** From the first packet to the last one. */
  readonly milliseconds: number;
}

async function play(...args: readonly string[]): Promise<Played> {
  return playFrom(set, ...args);
}

async function playFrom({ dump }: MapPlace, ...args: readonly string[]): Promise<Played> {
  const where = ['--dump-json', dump, '--sensors', 'a', '--redis', redis, ...SHORT_LEAD];
  const report = playedReport(await runCapfleet(['replay', ...where, '--json', ...args]));
  const times = readPcap(await readFile(out)).packets.map(({ time }) => time);
  return {
    report,
    numbers: await numbersOf(out),
    milliseconds: Number((times.at(-1) ?? 0n) - (times[0] ?? 0n)) / 1e6,
  };
}

function assertLasts({ milliseconds }: Played, wanted: number): void {
  assert.ok(Math.abs(milliseconds - wanted) < NOISE_MS, `${milliseconds} ms, not ${wanted}`);
}

describe('capfleet replay', () => {
  test('--time-from and --time-to cut the set to the packet, in the middle of files, with a time zone', async () => {
    // 2023-11-14T22:13:20Z is the start.
    const played = await play(
      '--time-from',
      '2023-11-15T00:13:20.1+02:00',
      '--time-to',
      '2023-11-14 22:13:20.205',
    );
    const inside = TIMELINE.filter((number) => {
      const index = number < 50 ? number : number - 50;
      const stamp = number < 50 ? index * 10 : index * 10 + 5;
      return number < 100 && stamp >= 100 && stamp <= 205;
    });
    assert.deepEqual(played.numbers, inside);
    assert.equal(played.report.totals.read, inside.length);
    assertLasts(played, 105);
  });

  test('an empty window is an error that tells the span of the set', async () => {
    const { code, stderr } = await runReplay(set, ['--out-interface', 'null', '--time-from', '2024-01-01']);
    assert.equal(code, 2);
    assert.match(stderr, /nothing of .* lies between 2024-01-01T00:00:00\.0+Z and its end/);
    assert.match(stderr, /the set goes from 2023-11-14T22:13:20\.0+Z to 2023-11-14T22:13:22\.590+Z/);
  });

  test('--time-scale-duration plays one pass in that time', async () => {
    assertLasts(await play('--time-scale-duration', '400ms'), 400);
  });

  test('--time-scale-enabled plays one pass in an hour', async (t) => {
    const twoHours = await makeMappedSet(t, { 'a.pcap': [...stamps(0, 11, 100), 7_200_000] });
    const played = await playFrom(twoHours, '--time-scale-enabled', '--limit', '11');
    assert.equal(played.numbers.length, 11);
    assertLasts(played, 500);
  });

  test('--topspeed waits for nothing, and no lateness is told', async () => {
    const played = await play('--topspeed');
    assert.equal(played.numbers.length, ALL);
    assertLasts(played, 0);
    assert.equal(played.report.sensors[0]?.result?.lateness, null);
  });

  test('--pps and --mbps give the rate, --limit ends it', async () => {
    assertLasts(await play('--pps', '100', '--limit', '51'), 500);
    // Frames of 100 bytes: 800 bits each.
    const played = await play('--mbps', '0.08', '--limit', '51');
    assertLasts(played, 500);
    assert.equal(played.numbers.length, 51);
  });

  test('--max-gap takes out idle time, and the report says how much', async () => {
    const played = await play('--max-gap', '100ms');
    assertLasts(played, 495 + 100 + 90);
    assert.equal(played.report.sensors[0]?.result?.shortened, String(1_905_000_000n));
  });

  test('--duration ends in time, --loop-delay waits between loops', async () => {
    assertLasts(await play('--duration', '300ms'), 300);
    const limited = ['--file-regexp', 'late', '--loop-count', '2', '--loop-delay', '500ms'];
    assertLasts(await play(...limited), 90 + 500 + 90);
  });

  test('--skip-ooo leaves out what runs backwards, counted, and --wait-disable waits for nothing', async () => {
    const played = await play('--skip-ooo', '--wait-disable');
    assert.equal(played.numbers.length, ALL - 2);
    assert.equal(played.report.totals.refused.backwards, 2);
    assertLasts(played, 0);
    assert.equal(played.report.sensors[0]?.result?.lateness, null);
  });

  test('--file-regexp plays the files that match, from their own begin', async () => {
    const { numbers } = await play('--file-regexp', '/late');
    assert.deepEqual(numbers, NUMBERS['late.pcap']);
    const none = await runReplay(set, ['--out-interface', 'null', '--file-regexp', 'nothing']);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no file under .* matches --file-regexp nothing/);
  });

  for (const args of [
    ['--pps', '10', '--topspeed'],
    ['--mbps', '1', '--time-modifier', '2'],
    ['--time-scale-duration', '1s', '--time-modifier', '2'],
    ['--pps', '0'],
    ['--pps', '1/1000001'],
    ['--time-from', 'yesterday'],
    ['--duration', '1s', '--topspeed'],
    ['--limit', '0'],
    ['--max-gap', '0s'],
    ['--mtu-policy', 'ignore'],
  ]) {
    test(`${args.join(' ')} is refused as usage`, async () => {
      const { code, stderr } = await runReplay(set, ['--out-interface', 'null', ...args]);
      assert.equal(code, 2, stderr);
      assert.ok(stderr.includes(args[0] ?? ''), stderr);
    });
  }
});
