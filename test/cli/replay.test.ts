// `capfleet replay` from this host, into a file or into nothing, so that it needs no privileges: what it sends, in
// which order, how fast, and what its report says.
import assert from 'node:assert/strict';
import { cp, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { stamps, type SetShape } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { hasTakenSignals, processesMentioning } from '../support/processes.ts';
import {
  assertAccounts,
  makeMappedSet,
  numberingOf,
  numbersOf,
  playedReport,
  runReplay,
  SHORT_LEAD,
  timelineOf,
} from '../support/replay-cli.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import type { AfterHook } from '../support/temp-dir.ts';
import { startCapfleet, type Running } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

/** Files that overlap, begin at one instant, and have equal stamps in one and in two files; 300 ms from end to end. */
const SHAPE: SetShape = {
  'a.pcap': stamps(0, 31, 10),
  'b.pcap': stamps(5, 20, 10),
  'c.pcap': [0, 0, 0, 100, 100, 150],
  'd/e.pcap': [200],
};
const PACKETS = 31 + 20 + 6 + 1;
const SPAN_MS = 300;
const TIMELINE = timelineOf(SHAPE, numberingOf(SHAPE));

const speeds: [text: string, exact: string, lengthMs: number][] = [
  ['0.5', '1/2', SPAN_MS * 2],
  ['2.5', '5/2', SPAN_MS / 2.5],
  ['1', '1/1', SPAN_MS],
  ['3', '3/1', SPAN_MS / 3],
  ['1/3', '1/3', SPAN_MS * 3],
];
/** Times on a shared machine are noisy; how exact they are is measured elsewhere. */
const NOISE_MS = 150;

const milliseconds = (nanos: bigint): number => Number(nanos) / 1e6;

/** The set of that shape, mapped once for all tests, and a name for what one of them sends. */
let set: MapPlace;
const cleanUp = lastFirst({ after });
let outputs = 0;
const outFile = (): string => join(set.dir, `out-${outputs++}.pcap`);

before(async () => {
  set = await makeMappedSet(cleanUp, SHAPE);
});

describe('capfleet replay', { concurrency: 2 }, () => {
  test('sends every packet in the order of the timeline, and its report adds up', async () => {
    const out = outFile();
    const report = playedReport(await runReplay(set, ['--out-interface', `file:${out}`, '--json']));
    assert.deepEqual(await numbersOf(out), TIMELINE);
    assert.deepEqual([report.totals.read, report.totals.sent], [PACKETS, PACKETS]);
    assert.equal(report.totals.sentBytes, PACKETS * 100);
  });

  test('plays a copy of the set from where it lies, though its files have other times', async () => {
    const copy = join(set.dir, 'copy');
    await cp(set.captures, copy, { recursive: true });
    const [out, other] = [outFile(), outFile()];
    const moved = ['--root', `${set.captures}=${copy}`];
    playedReport(await runReplay(set, ['--out-interface', `file:${out}`, '--json', ...moved]));
    assert.deepEqual(await numbersOf(out), TIMELINE);
    await rm(join(copy, 'a.pcap'));
    const { code, stdout } = await runReplay(set, ['--out-interface', `file:${other}`, ...moved]);
    assert.equal(code, 1);
    assert.ok(stdout.includes(join(copy, 'a.pcap')), stdout);
  });

  test('reports as JSON with every field that its contract names', async () => {
    const report = playedReport(await runReplay(set, ['--out-interface', 'null', '--json']));
    assert.deepEqual(Object.keys(report).sort(), [
      'clock',
      'loops',
      'outcome',
      'run',
      'sensors',
      'speed',
      'start',
      'startSkew',
      'totals',
      'verdict',
      'version',
    ]);
    assert.deepEqual([report.version, report.speed, report.loops, report.startSkew], [1, '1/1', 1, null]);
    assert.match(report.start ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    const [sensor] = report.sensors;
    assert.deepEqual(
      [report.sensors.length, sensor?.sensor, sensor?.link, sensor?.error],
      [1, 'local', 'null', null],
    );
    const { lateness, startError, firstSent, lastSent, clock } = sensor?.result ?? {};
    const quantiles = [lateness?.p50, lateness?.p90, lateness?.p99, lateness?.p999, lateness?.max].map(
      (text) => BigInt(text ?? -1),
    );
    assert.deepEqual(
      quantiles,
      quantiles.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    );
    assert.ok(BigInt(startError ?? -1) >= 0n, 'nothing goes out before its time');
    const length = milliseconds(BigInt(lastSent ?? 0) - BigInt(firstSent ?? 0));
    assert.ok(Math.abs(length - SPAN_MS) < NOISE_MS, `${length} ms`);
    assert.ok(BigInt(clock?.bound ?? -1) > 0n);
  });

  test('reports in words, the verdict first', async () => {
    const { code, stdout, stderr } = await runReplay(set, ['--out-interface', 'null']);
    assert.ok(code === 0 || code === 4, stderr);
    assert.equal(stderr, '');
    const verdict = code === 0 ? 'the verdict holds' : 'the verdict does not hold';
    assert.ok(
      stdout.startsWith(`done: ${PACKETS} of ${PACKETS} packets sent (5.7 KiB), ${verdict}\n`),
      stdout,
    );
    assert.match(stdout, /^sensor +interface +read +sent /m);
    assert.match(stdout, new RegExp(`^local +null +${PACKETS} +${PACKETS} `, 'm'));
  });

  for (const [text, exact, length] of speeds) {
    test(`at --time-modifier ${text} takes ${length} ms`, async () => {
      const out = outFile();
      const args = ['--out-interface', `file:${out}`, '--time-modifier', text, '--json'];
      const report = playedReport(await runReplay(set, args));
      assert.equal(report.speed, exact);
      const { packets } = readPcap(await readFile(out));
      assert.equal(packets.length, PACKETS);
      const took = milliseconds((packets.at(-1)?.time ?? 0n) - (packets[0]?.time ?? 0n));
      assert.ok(Math.abs(took - length) < NOISE_MS, `${took} ms`);
    });
  }

  test('plays the set three times with --loop-count 3, the end of one at the beginning of the next', async () => {
    const out = outFile();
    const args = ['--out-interface', `file:${out}`, '--loop-count', '3', '--json'];
    const report = playedReport(await runReplay(set, args));
    assert.deepEqual(await numbersOf(out), [...TIMELINE, ...TIMELINE, ...TIMELINE]);
    assert.deepEqual([report.loops, report.sensors[0]?.result?.loops], [3, 3]);
    const { packets } = readPcap(await readFile(out));
    const took = milliseconds((packets.at(-1)?.time ?? 0n) - (packets[0]?.time ?? 0n));
    assert.ok(Math.abs(took - 3 * SPAN_MS) < NOISE_MS, `${took} ms`);
  });

  test('plays a one-packet set, and one whose packets have a single stamp', async (t) => {
    for (const shape of [{ 'a.pcap': [7] }, { 'a.pcap': [7, 7, 7], 'b.pcap': [7, 7] }] satisfies SetShape[]) {
      const place = await makeMappedSet(t, shape);
      const out = join(place.dir, 'out.pcap');
      const report = playedReport(await runReplay(place, ['--out-interface', `file:${out}`, '--json']));
      const numbers = Object.values(numberingOf(shape)).flat();
      assert.deepEqual([await numbersOf(out), report.totals.sent], [numbers, numbers.length]);
    }
  });

  test('sends a packet whose stamp runs backwards right after the one before it, and counts it', async (t) => {
    const place = await makeMappedSet(t, { 'a.pcap': [0, 50, 20, 60], 'b.pcap': [55] });
    const out = join(place.dir, 'out.pcap');
    const report = playedReport(await runReplay(place, ['--out-interface', `file:${out}`, '--json']));
    assert.deepEqual(await numbersOf(out), [0, 1, 2, 4, 3]);
    assert.deepEqual([report.totals.backwards, report.totals.sent], [1, 5]);
  });
});

interface Endless {
  readonly replay: Running;
  readonly out: string;
  /** The agent that the command started. */
  readonly agent: number;
}

/** A replay without end that has gone round more than once. */
async function playEndlessly(t: AfterHook): Promise<Endless> {
  const out = outFile();
  const where = ['--dump-json', set.dump, '--out-interface', `file:${out}`, ...SHORT_LEAD];
  const replay = startCapfleet(t, ['replay', ...where, '--loop-infinite', '--time-modifier', '5', '--json']);
  await waitFor(
    'the set was played more than once',
    async () => (await stat(out).catch(() => ({ size: 0 }))).size > 24 + 2 * PACKETS * 116,
    { timeout: 15_000 },
  );
  const agents = (await processesMentioning(out)).filter(({ pid }) => pid !== replay.pid);
  assert.equal(agents.length, 1);
  return { replay, out, agent: agents[0]?.pid ?? 0 };
}

describe('an endless capfleet replay', { concurrency: 2 }, () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`is ended by ${signal} with a report that adds up, and exit code 130`, async (t) => {
      const { replay, out } = await playEndlessly(t);
      replay.signal(signal);
      const { code, stdout, stderr } = await replay.ended;
      assert.equal(code, 130, stderr);
      const report = JSON.parse(stdout) as RunReport;
      assert.deepEqual([report.outcome, report.loops], ['stopped', 0]);
      assertAccounts(report);
      const sent = await numbersOf(out);
      assert.ok(sent.length > 2 * PACKETS);
      assert.equal(report.totals.sent, sent.length);
      assert.deepEqual(
        sent,
        sent.map((_, index) => TIMELINE[index % PACKETS]),
      );
      await waitFor('its agent is gone', async () => (await processesMentioning(out)).length === 0);
    });
  }

  test('of two packets begins soon, though millions of them would fit into the memory for what comes', async (t) => {
    const place = await makeMappedSet(t, { 'a.pcap': [0, 400] });
    const out = join(place.dir, 'out.pcap');
    const where = ['--dump-json', place.dump, '--out-interface', `file:${out}`, ...SHORT_LEAD];
    const replay = startCapfleet(t, ['replay', ...where, '--loop-infinite', '--prepare-timeout', '10s']);
    await waitFor(
      'it goes round',
      async () => !replay.isRunning() || (await stat(out).catch(() => ({ size: 0 }))).size >= 24 + 4 * 116,
      { timeout: 20_000 },
    );
    replay.signal('SIGINT');
    assert.equal((await replay.ended).code, 130, replay.output.stdout);
    assert.deepEqual((await numbersOf(out)).slice(0, 4), [0, 1, 0, 1]);
  });

  test('is ended at once by a second Ctrl-C, though its agent does not answer', async (t) => {
    const { replay, out, agent } = await playEndlessly(t);
    process.kill(agent, 'SIGSTOP');
    replay.signal('SIGINT');
    await waitFor('the first is taken', () => hasTakenSignals(replay.pid));
    const second = performance.now();
    replay.signal('SIGINT');
    assert.equal((await replay.ended).code, 130);
    assert.ok(performance.now() - second < 2000);
    process.kill(agent, 'SIGCONT');
    await waitFor('its agent is gone', async () => (await processesMentioning(out)).length === 0);
  });

  test('takes its agent with it when it is killed', async (t) => {
    const { replay, out } = await playEndlessly(t);
    replay.signal('SIGKILL');
    await replay.ended;
    await waitFor('its agent is gone', async () => (await processesMentioning(out)).length === 0);
    const { size } = await stat(out);
    assert.equal((size - 24) % 116, 0, 'the file ends after a whole packet');
  });

  test('ends with an error when its agent is killed', async (t) => {
    const { replay, agent } = await playEndlessly(t);
    process.kill(agent, 'SIGKILL');
    const { code, stderr } = await replay.ended;
    assert.equal(code, 1);
    assert.match(stderr, /^capfleet: .*agent/m);
  });
});
