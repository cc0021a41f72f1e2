// How packets are paced, from the command line to the report: spin, class, processor, transmit stamps. What the thread
// makes of them is held in test/native; with a real interface it is test/replay/departures.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { program, runCapfleet } from '../support/capfleet.ts';
import { hasCapability } from '../support/capabilities.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { makeMappedSet, playedReport, runReplay, SHORT_LEAD } from '../support/replay-cli.ts';

let set: MapPlace;
const cleanUp = lastFirst({ after });
const OUT = ['--out-interface', 'null'];
const REPLAY = ['replay', ...SHORT_LEAD, ...OUT];
/** The program, neither allowed the real-time class nor much locked memory. */
const POOR = [
  ...['prlimit', '--rtprio=0:0', '--memlock=65536:65536'],
  ...['setpriv', '--bounding-set=-sys_nice,-ipc_lock', '--inh-caps=-sys_nice,-ipc_lock', '--'],
  ...[process.execPath, program],
];

before(async () => {
  set = await makeMappedSet(cleanUp, { 'a.pcap': stamps(0, 30, 10) });
});

describe('capfleet replay', { concurrency: 2 }, () => {
  test('spins as long as the host needs, where nothing else is asked for, and stamps nothing', async () => {
    const report = playedReport(await runReplay(set, [...OUT, '--json']));
    const { pacing, departures, pauses, interfaceCounters } = report.sensors[0]!.result!;
    assert.deepEqual([pacing.spin, pacing.processor], ['auto', null]);
    assert.ok(BigInt(pacing.margin) >= 20_000n && BigInt(pacing.margin) <= 1_000_000n);
    if (hasCapability('CAP_IPC_LOCK')) assert.equal(pacing.lockedBytes, 32 << 20);
    assert.deepEqual([departures, pauses, interfaceCounters], [null, { count: 0, total: '0' }, null]);
  });

  test('hands --spin, --no-realtime, --cpu and --tx-stamps on to the pacing thread', async () => {
    const how = ['--spin', 'none', '--no-realtime', '--cpu', '0', '--tx-stamps', 'sample'];
    const { result } = playedReport(await runReplay(set, [...OUT, '--json', ...how])).sensors[0]!;
    const { spin, processor, realtime, margin } = result!.pacing;
    assert.deepEqual([spin, processor, realtime, margin], ['none', 0, false, '0']);
    assert.deepEqual(result!.departures, { asked: 0, taken: 0, lateness: null });
  });

  test('says in words how it was paced, where that was asked for', async () => {
    const { stdout } = await runReplay(set, [...OUT, '--spin', 'max', '--cpu', '0', '--tx-stamps', 'all']);
    assert.match(stdout, /^ {2}local: paced .*, on processor 0, spin max \(1 ?ms\)$/m);
    assert.match(stdout, /^ {2}local: no packet was stamped: this link tells no departures/m);
  });

  test('refuses a processor that there is not', async () => {
    const { code, stdout, stderr } = await runReplay(set, [...OUT, '--cpu', '999']);
    assert.equal(code, 1);
    assert.match(stdout + stderr, /cannot be paced on processor 999/);
    assert.match(stdout + stderr, /Cpus_allowed_list/);
  });

  test('refuses to play without the real-time class where --realtime insists on it', async (t) => {
    if (!hasCapability('CAP_SYS_NICE')) {
      t.skip('needs CAP_SYS_NICE, to be without it');
      return;
    }
    const refused = await runCapfleet([...REPLAY, '--dump-json', set.dump, '--realtime'], { through: POOR });
    assert.equal(refused.code, 1);
    assert.match(refused.stdout + refused.stderr, /real-time class is not allowed/);
  });

  test('does without the real-time class and locked memory where it may not have them', async (t) => {
    if (!hasCapability('CAP_SYS_NICE') || !hasCapability('CAP_IPC_LOCK')) {
      t.skip('needs CAP_SYS_NICE and CAP_IPC_LOCK, to be without them');
      return;
    }
    const ended = await runCapfleet([...REPLAY, '--dump-json', set.dump, '--json'], { through: POOR });
    const { pacing, lateness, warnings } = playedReport(ended).sensors[0]!.result!;
    assert.deepEqual([pacing.realtime, pacing.lockedBytes], [false, 0]);
    const late = lateness!;
    const isCostly = BigInt(late.p99) > 100_000n || BigInt(late.max) > 1_000_000n;
    assert.equal(
      warnings.some(({ kind }) => kind === 'realtime-denied'),
      isCostly,
    );
  });
});
