import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { checkFarEnds, checkFilesHere, compareFarEnds } from '@capfleet/cli/far-ends';
import { showReport } from '@capfleet/cli/show/report';
import { mapCaptures } from '@capfleet/cli/verify-replay';
import { compileFilter } from '@capfleet/replayer/adapters/libpcap';
import type { FarEndCapture } from '@capfleet/replayer/ports/far-end';
import type { PlayResult, RunReport } from '@capfleet/shared/contract/report';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import { plainReplay, planReplay, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import { disk } from '@capfleet/shared/source/disk';
import { stamps, writeNumberedSet } from '../../support/numbered-set.ts';
import { pcapFile } from '../../support/pcap-writer.ts';
import { readPcap } from '../../support/pcap-reader.ts';
import { accounts, playResult, sensorPlan } from '../../support/play-results.ts';
import { tempDir } from '../../support/temp-dir.ts';

const EVEN = 'udp[8:4] % 2 = 0';
const never = new AbortController().signal;

function reportOf(result: Partial<PlayResult>): RunReport {
  return {
    version: 1,
    run: 'run',
    outcome: 'stopped',
    start: null,
    speed: '1/1',
    loops: 1,
    clock: null,
    sensors: [
      {
        sensor: 'a',
        interface: 'out0',
        link: 'af_packet',
        clockBound: '50000',
        result: playResult(result),
        error: null,
        returns: [],
      },
    ],
    totals: accounts({ read: 10, sent: 10, sentBytes: 600 }),
    startSkew: null,
    verdict: { holds: true, findings: [] },
  };
}

function captured(stop: FarEndCapture['stop']): FarEndCapture {
  return { interface: 'far0', stop, close: async () => undefined };
}

/** A plan of those of 60 packets that have an even number, and a far end that got the first of them. */
async function given(t: TestContext, arrived: number): Promise<[plan: SensorPlan, farEnd: FarEndCapture]> {
  const dir = await tempDir(t);
  const [path, received] = [join(dir, 'a.pcap'), join(dir, 'received.pcap')];
  await writeNumberedSet(dir, { 'a.pcap': stamps(0, 60, 1) });
  const set = buildDataSet(await mapCaptures([path], disk));
  const request = { ...plainReplay, sensors: ['a'], rule: { by: 'lane' } as const };
  const [plan] = planReplay(set, { ...request, filter: compileFilter(EVEN) }, path);
  const even = readPcap(await readFile(path)).packets.filter((_, index) => index % 2 === 0);
  const records = even.slice(0, arrived).map(({ data }, fraction) => ({ seconds: 1, fraction, data }));
  await writeFile(received, pcapFile({}, records));
  assert.ok(plan);
  return [plan, captured(async () => ({ path: received, packets: arrived, dropped: 0 }))];
}

describe('far ends', () => {
  test('of a run that ended early are held against what went out, not what was read ahead', async (t) => {
    const [plan, farEnd] = await given(t, 10);
    const refused = { ...accounts().refused, filtered: 30, stopped: 19, 'no-buffers': 1 };
    const report = reportOf({
      outcome: 'stopped',
      accounts: accounts({ read: 60, sent: 10, refused }),
      paced: 11,
      pauses: { count: 2, total: '1500000000' },
    });
    const request = { plans: [plan], captures: [farEnd], source: disk, mtu: null, oneClock: false };
    const { report: compared } = await compareFarEnds(report, { ...request, signal: never });
    const [found] = compared.farEnds ?? [];
    const { sent, matched, lost } = found!.comparison;
    assert.deepEqual([sent, matched, lost], [11, 10, 1]);
    assert.equal(found?.paused, '1500000000');
    assert.match(showReport(compared), /note: paused for 1\.5 s, which the plan does not know: all times/);

    const whole = { ...reportOf({ outcome: 'done' }), start: '2026-11-26T12:00:00Z' };
    const { report: all } = await compareFarEnds(whole, { ...request, signal: never });
    assert.equal(all.farEnds?.[0]?.comparison.sent, 30);
    assert.doesNotMatch(showReport(all), /paused/);
  });

  test('that cannot be compared are a finding, and the report stays; after Ctrl-C it is as it was', async () => {
    const fails = captured(() =>
      Promise.reject(new Failure('far-end-failed', { interface: 'far0', reason: 'r' })),
    );
    const report = reportOf({});
    const request = { plans: [sensorPlan('a')], captures: [fails], source: disk, mtu: null, oneClock: false };
    const { report: told, series } = await compareFarEnds(report, { ...request, signal: never });
    assert.deepEqual([told.farEnds, series.size, told.verdict.holds], [undefined, 0, false]);
    assert.match(
      told.verdict.findings.map(({ check, text }) => `${check}: ${text}`).join(),
      /^far end: .*far0/,
    );
    assert.match(showReport(told), /the verdict does not hold/);
    const interrupted = await compareFarEnds(report, { ...request, signal: AbortSignal.abort() });
    assert.equal(interrupted.report, report);
  });

  test('are refused where nothing can arrive, or nothing can be known of it', () => {
    const one = [sensorPlan('a')];
    const two = [...one, sensorPlan('b')];
    const { timeline, policies } = one[0]!;
    const far = (...verifyInterface: string[]): { verifyInterface: string[] } => ({ verifyInterface });
    checkFarEnds(far('far0'), one, 'af_xdp:out0');
    checkFarEnds(far('lo'), one, 'lo');
    checkFarEnds(far('far0', 'far1'), two, undefined);
    const cases: [RegExp, ...Parameters<typeof checkFarEnds>][] = [
      [/arrives at its far end, not there/, far('out0'), one, 'out0'],
      [/arrives at its far end, not there/, far('out0'), one, 'af_xdp:out0'],
      [/arrives at its far end, not there/, far('out0'), one, 'pcap:out0'],
      [/nothing leaves this host through null/, far('far0'), one, 'null'],
      [/2 given for 1/, far('far0', 'lo'), one, 'out0'],
      [/named twice/, far('far0', 'far0'), two, undefined],
      [/only with --verify-interface/, { verifyPlots: 'plots' }, one, 'out0'],
      [/without end/, far('far0'), [sensorPlan('a', { timeline: { ...timeline, loops: 0 } })], 'out0'],
      [
        /known on its own host only/,
        far('far0'),
        [sensorPlan('a', { policies: { ...policies, oversize: 'segment' } })],
        undefined,
      ],
    ];
    for (const [said, ...args] of cases) {
      assert.throws(
        () => checkFarEnds(...args),
        (thrown) => {
          assert.ok(thrown instanceof Failure && thrown.exit === 2);
          return said.test(thrown.message);
        },
      );
    }
  });

  test('of sensors on other hosts need the captures here, too', async (t) => {
    const [plan] = await given(t, 0);
    await checkFilesHere([plan], disk, never);
    const { path } = plan.files[0]!;
    await rm(path);
    await assert.rejects(checkFilesHere([plan], disk, never), (thrown) => {
      assert.ok(thrown instanceof Failure && thrown.code === 'setting-invalid');
      return (
        thrown.message.startsWith('--verify-interface: this host reads the captures') &&
        thrown.message.includes(path)
      );
    });
  });
});
