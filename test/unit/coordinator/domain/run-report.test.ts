import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addsUp, refusalCauses, type PlayResult, type RunReport } from '@capfleet/shared/contract/report';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import { showReport } from '@capfleet/cli/show/report';
import { reportRun, type Thresholds } from '@capfleet/coordinator/domain/run-report';
import { beginRun, step, type RunEvent, type RunState } from '@capfleet/coordinator/domain/run-state';
import {
  accounts,
  goodClock,
  plainTiming,
  planFile,
  playResult,
  redisClock,
  sensorPlan,
} from '../../../support/play-results.ts';

const START = 1_700_000_000_000_000_000n;
const EPOCH = 1;
const plans = ['a', 'b'].map((sensor) => sensorPlan(sensor));

function apply(state: RunState, ...events: RunEvent[]): RunState {
  return events.reduce((before, event) => step(before, event).state, state);
}

function playing(clock = redisClock()): RunState {
  const word = (sensor: string): RunEvent[] => [
    {
      type: 'said',
      message: {
        type: 'ready',
        sensor,
        epoch: EPOCH,
        interface: `eth-${sensor}`,
        link: 'af_packet',
        place: 'p',
        clock: goodClock,
      },
    },
  ];
  const acknowledged = (sensor: string): RunEvent => ({
    type: 'said',
    message: { type: 'acknowledged', sensor, epoch: EPOCH },
  });
  return apply(
    beginRun(['a', 'b'], false),
    ...word('a'),
    ...word('b'),
    { type: 'start-decided', start: START, clock },
    acknowledged('a'),
    acknowledged('b'),
    { type: 'started' },
  );
}

const reported = (sensor: string, change: Partial<PlayResult> = {}): RunEvent => ({
  type: 'said',
  message: { type: 'report', sensor, epoch: EPOCH, result: playResult(change) },
});

function reportOf(a: Partial<PlayResult>, b: Partial<PlayResult> = {}, thresholds?: Thresholds): RunReport {
  return reportRun('run-1', apply(playing(), reported('a', a), reported('b', b)), plans, thresholds);
}

const broken = (report: RunReport): string[] =>
  report.verdict.findings
    .filter(({ holds }) => !holds)
    .map(({ sensor, check }) => (sensor === null ? check : `${sensor}: ${check}`));

describe('the report of a run', () => {
  test('that went well holds in all', () => {
    const report = reportOf({});
    assert.deepEqual(broken(report), []);
    assert.equal(report.verdict.holds, true);
    assert.deepEqual(
      [report.version, report.run, report.outcome, report.start, report.speed, report.loops],
      [1, 'run-1', 'done', '2023-11-14T22:13:20.000000000Z', '1/1', 1],
    );
    assert.deepEqual(report.totals, accounts({ read: 20, sent: 20, sentBytes: 1200 }));
    assert.deepEqual(
      report.sensors.map(({ sensor, interface: name, link, error }) => [sensor, name, link, error]),
      [
        ['a', 'eth-a', 'af_packet', null],
        ['b', 'eth-b', 'af_packet', null],
      ],
    );
    assert.ok(report.verdict.findings.length >= 9, 'every check is listed, also those that hold');
  });

  for (const cause of refusalCauses) {
    test(`with a packet not sent (${cause}) does not hold`, () => {
      const refused = { ...accounts().refused, [cause]: 1 };
      const report = reportOf({ accounts: accounts({ read: 10, sent: 9, refused }) });
      assert.deepEqual(broken(report), ['a: accounts']);
      assert.equal(report.totals.refused[cause], 1);
      assert.ok(addsUp(report.totals));
      assert.match(report.verdict.findings.find(({ holds }) => !holds)!.text, new RegExp(`1 ${cause}`));
    });
  }

  test('with packets that a filter was asked to keep back holds', () => {
    const filter = { expression: 'tcp', program: [{ code: 6, jt: 0, jf: 0, k: 0 }] };
    const filtered = ['a', 'b'].map((sensor) => sensorPlan(sensor, { filter }));
    const result = {
      accounts: accounts({ read: 10, sent: 7, refused: { ...accounts().refused, filtered: 3 } }),
    };
    const state = apply(playing(), reported('a', result), reported('b', result));
    assert.deepEqual(broken(reportRun('run-1', state, filtered)), []);

    const none = accounts({ read: 10, sent: 0, refused: { ...accounts().refused, filtered: 10 } });
    const nothing = apply(playing(), reported('a', { accounts: none }), reported('b', { accounts: none }));
    assert.deepEqual(
      broken(reportRun('run-1', nothing, filtered)),
      ['sent'],
      'but not where nothing is left',
    );
  });

  test('with a file that could not be read does not hold, also where only a part was asked for', () => {
    const windowed = ['a', 'b'].map((sensor) => {
      const plan = sensorPlan(sensor);
      return { ...plan, timeline: { ...plan.timeline, windowed: true } };
    });
    const lost = { files: [{ path: '/data/1.pcap', message: 'EIO' }] };
    const report = reportRun('run-1', apply(playing(), reported('a', lost), reported('b', {})), windowed);
    assert.deepEqual(broken(report), ['a: complete']);
  });

  test('of an estimated mapping is not held against the estimate', () => {
    const estimated = ['a', 'b'].map((sensor) => {
      const plan = sensorPlan(sensor);
      return { ...plan, files: plan.files.map((file) => ({ ...file, estimated: true, packets: 99 })) };
    });
    const report = reportRun('run-1', apply(playing(), reported('a', {}), reported('b', {})), estimated);
    assert.deepEqual(broken(report), []);
  });

  test('with fewer packets at the interface than were sent does not hold; with more it does, and says so', () => {
    const counted = (packets: number) => ({ interfaceCounters: { packets, dropped: 0, errors: 0 } });
    assert.deepEqual(broken(reportOf(counted(9))), ['a: interface counters']);
    const more = reportOf(counted(12));
    assert.deepEqual(broken(more), []);
    assert.ok(more.verdict.findings.some(({ text }) => text.includes('2 are not of this run')));
  });

  test('with accounts that do not add up does not hold', () => {
    assert.deepEqual(broken(reportOf({ accounts: accounts({ read: 10, sent: 9 }) })), ['a: accounts']);
    assert.deepEqual(broken(reportOf({ accounts: accounts({ read: 10, sent: 11 }) })), ['a: accounts']);
  });

  test('with fewer packets read than planned, or a file that failed, does not hold', () => {
    const short = reportOf({ accounts: accounts({ read: 9, sent: 9 }) });
    assert.deepEqual(broken(short), ['a: complete']);
    assert.match(short.verdict.findings.find(({ holds }) => !holds)!.text, /9 of 10 planned/);
    const failed = reportOf({ files: [{ path: '/data/a.pcap', message: 'EIO' }] });
    assert.deepEqual(broken(failed), ['a: complete']);
    assert.match(failed.verdict.findings.find(({ holds }) => !holds)!.text, /\/data\/a\.pcap: EIO/);
  });

  test('counts the planned packets of all files, once per loop', () => {
    const looped = ['a', 'b'].map((sensor) =>
      sensorPlan(sensor, {
        files: [planFile({ packets: 3 }), planFile({ packets: 4 })],
        timeline: { base: '0', period: '1000', speed: '37/100', loops: 5, ...plainTiming },
      }),
    );
    const result = { accounts: accounts({ read: 35, sent: 35 }), loops: 5 };
    const state = apply(playing(), reported('a', result), reported('b', result));
    const report = reportRun('run-1', state, looped);
    assert.deepEqual(broken(report), []);
    assert.deepEqual([report.speed, report.loops], ['37/100', 5]);
  });

  test('measures start error and end drift against their thresholds, in both directions', () => {
    for (const sign of ['', '-']) {
      assert.deepEqual(broken(reportOf({ startError: `${sign}1000000`, endDrift: `${sign}1000000` })), []);
      assert.deepEqual(broken(reportOf({ startError: `${sign}1000001` })), ['a: start error']);
      assert.deepEqual(broken(reportOf({ endDrift: `${sign}1000001` })), ['a: end drift']);
    }
    const strict = { startError: 100n, endDrift: 100n, startSkew: 100n };
    assert.deepEqual(broken(reportOf({}, { startError: '50', endDrift: '50' }, strict)), [
      'a: start error',
      'a: end drift',
      // The skew's limit is widened by what the clocks are not known to.
    ]);
  });

  test('measures how far apart the sensors started, beside the two largest clock bounds', () => {
    const state = apply(
      playing({ ...redisClock(10n, 20n), name: 'system', reason: 'why' }),
      reported('a', { startError: '-300' }),
      reported('b', { startError: '500' }),
    );
    const limits = { startError: 1000n, endDrift: 2000n };
    const report = reportRun('run-1', state, plans, { ...limits, startSkew: 769n });
    assert.deepEqual(report.startSkew, { measured: '800', clockBound: '30' });
    assert.deepEqual(broken(report), ['start skew']);
    assert.deepEqual(broken(reportRun('run-1', state, plans, { ...limits, startSkew: 770n })), []);
    assert.deepEqual(report.clock, { name: 'system', reason: 'why' });
    assert.deepEqual(
      report.sensors.map(({ clockBound }) => clockBound),
      ['10', '20'],
    );
  });

  test('tells how well a clock was known when the start was converted by it, not when it was decided', () => {
    const later = { ...goodClock, bound: '77' };
    const state = apply(playing(redisClock(10n, 20n)), reported('a', { clock: later }));
    assert.deepEqual(
      reportRun('run-1', state, plans).sensors.map(({ clockBound }) => clockBound),
      ['77', '20'],
    );
  });

  test('that no start could be decided for has the reason with its way out', () => {
    const error = new Failure('clock-bound', { sensor: 'a', bound: '9 ms', limit: '5 ms' }).toRecord();
    const report = reportRun('run-1', apply(beginRun(['a'], false), { type: 'start-refused', error }), plans);
    assert.deepEqual([report.outcome, report.clock, report.error], ['cancelled', null, error]);
    assert.ok(showReport(report).includes(`${error.message}\n      ${error.hint}\n`), showReport(report));
  });

  test('has no skew where fewer than two sensors sent anything', () => {
    const silent = { startError: null, endDrift: null, lateness: null, firstSent: null, lastSent: null };
    assert.equal(reportOf(silent).startSkew, null);
    assert.equal(reportOf(silent, silent).startSkew, null);
  });

  test('of a sensor with an empty share holds', () => {
    const nothing: Partial<PlayResult> = {
      accounts: accounts(),
      startError: null,
      endDrift: null,
      lateness: null,
      firstSent: null,
      lastSent: null,
    };
    const state = apply(playing(), reported('a'), reported('b', nothing));
    const report = reportRun('run-1', state, [plans[0]!, sensorPlan('b', { files: [] })]);
    assert.deepEqual(broken(report), []);
  });
});

describe('the report of a set that is shared by flow', () => {
  const files = [planFile({ packets: 7 }), planFile({ packets: 5 })];
  const shared = (change: Partial<SensorPlan['timeline']> = {}) =>
    ['a', 'b'].map((sensor, index) =>
      sensorPlan(sensor, {
        files,
        share: { index, of: 2, tunnels: 'inner' },
        timeline: { ...sensorPlan(sensor).timeline, ...change },
      }),
    );
  const own = (read: number, elsewhere: number): Partial<PlayResult> => ({
    accounts: accounts({ read, sent: read }),
    elsewhere,
  });
  const report = (a: Partial<PlayResult>, b: Partial<PlayResult>, timeline = {}): RunReport =>
    reportRun('run-1', apply(playing(), reported('a', a), reported('b', b)), shared(timeline));

  test('has each packet of the set once in its totals, and each sensor has read the whole set', () => {
    const good = report(own(8, 4), own(4, 8));
    assert.deepEqual(broken(good), []);
    assert.deepEqual([good.totals.read, good.totals.sent], [12, 12]);
    const text = good.verdict.findings.find(({ check }) => check === 'shared')?.text;
    assert.equal(text, '12 packets were the share of one sensor each, of 12 that each of them read');
  });

  test('holds where a sensor splits its frames or has none', () => {
    const split = accounts({ read: 12, sent: 12, segmented: 2, segments: 6 });
    assert.deepEqual(broken(report({ accounts: split, elsewhere: 4 }, own(4, 8))), []);
    assert.deepEqual(broken(report(own(12, 0), own(0, 12))), []);
  });

  test('does not hold where a packet is nobody’s or two sensors’, also in a window', () => {
    assert.deepEqual(broken(report(own(8, 4), own(3, 9))), ['shared']);
    assert.deepEqual(broken(report(own(8, 4), own(5, 7))), ['shared']);
    assert.deepEqual(broken(report(own(8, 4), own(4, 7), { windowed: true })), ['shared']);
    assert.deepEqual(broken(report(own(8, 4), own(4, 7))), ['b: complete', 'shared']);
    assert.deepEqual(broken(report(own(2, 1), own(1, 2), { limit: 3 })), []);
  });

  test('says nothing of shares where one sensor has no report, or a time ended it', () => {
    const state = apply(playing(), { type: 'lost', sensor: 'a' }, reported('b', own(4, 8)));
    assert.deepEqual(broken(reportRun('run-1', state, shared())), ['a: reported']);
    assert.deepEqual(broken(report(own(8, 4), own(4, 7), { duration: '5' })), []);
  });
});

describe('the report of a run that did not go to its end', () => {
  test('is failed where a sensor is lost; the others are told all the same', () => {
    const state = apply(playing(), { type: 'lost', sensor: 'a' }, reported('b'));
    const report = reportRun('run-1', state, plans);
    assert.equal(report.outcome, 'failed');
    assert.deepEqual(broken(report), ['a: reported']);
    assert.equal(report.sensors[0]?.error?.code, 'sensor-lost');
    assert.equal(report.totals.sent, 10);
    assert.equal(report.verdict.holds, false);
  });

  test('is failed where a play failed, with its reason', () => {
    const error = new Failure('link-failed', { interface: 'eth1', reason: 'ENODEV' }).toRecord();
    const report = reportOf({ outcome: 'failed', error });
    assert.equal(report.outcome, 'failed');
    assert.deepEqual(broken(report), ['a: played']);
    assert.match(report.verdict.findings.find(({ holds }) => !holds)!.text, /ENODEV/);
  });

  test('is stopped where the user asked for it; what was not sent for that reason is no fault', () => {
    const refused = { ...accounts().refused, stopped: 4 };
    const stopped: Partial<PlayResult> = {
      outcome: 'stopped',
      accounts: accounts({ read: 10, sent: 6, refused }),
    };
    const state = apply(playing(), { type: 'stop-asked' }, reported('a', stopped), reported('b', stopped));
    const report = reportRun('run-1', state, plans);
    assert.equal(report.outcome, 'stopped');
    assert.deepEqual(broken(report), []);
  });

  test('is stopped where a sensor stopped by itself, and that is a fault', () => {
    const refused = { ...accounts().refused, stopped: 4 };
    const report = reportOf({ outcome: 'stopped', accounts: accounts({ read: 10, sent: 6, refused }) });
    assert.equal(report.outcome, 'stopped');
    assert.deepEqual(broken(report), ['a: accounts']);
  });

  test('has no end drift where it was stopped in the middle', () => {
    const report = reportOf({ outcome: 'stopped', endDrift: '99000000' });
    assert.deepEqual(broken(report), []);
  });

  test('is cancelled where it was cancelled before its start, with the reason and no start', () => {
    const state = apply(beginRun(['a', 'b'], false), { type: 'lost', sensor: 'a' });
    const report = reportRun('run-1', state, plans);
    assert.deepEqual([report.outcome, report.start, report.verdict.holds], ['cancelled', null, false]);
    assert.deepEqual(broken(report), ['started']);
    assert.match(report.verdict.findings[0]!.text, /sensor a stopped answering/);
    assert.deepEqual(report.totals, accounts());
  });

  test('survives a trip through JSON', () => {
    const report = reportOf({});
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  });
});
