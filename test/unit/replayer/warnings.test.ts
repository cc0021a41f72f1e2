// What of a host is complained about, by made-up facts: only what it costs, each with its way out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { warningsOf, type PlayFacts } from '@capfleet/replayer/warnings';

const MS = 1_000_000n;
const LATE = { p99: 20n * MS, max: 50n * MS };

/** A host on which all is well but the lateness. */
function facts(change: Partial<PlayFacts> = {}): PlayFacts {
  return {
    lateness: LATE,
    governors: ['performance'],
    stolen: 0,
    wantsRealtime: true,
    realtime: true,
    yielded: 0,
    preempted: 0,
    starved: 0,
    lapses: 0,
    ...change,
  };
}

const everything: Partial<PlayFacts> = {
  governors: ['powersave', 'schedutil'],
  stolen: 0.12,
  realtime: false,
  preempted: 7,
  starved: 3,
};

const kindsOf = (change: Partial<PlayFacts>): string[] => warningsOf(facts(change)).map(({ kind }) => kind);

describe('warnings of a play', () => {
  const cases: [name: string, change: Partial<PlayFacts>, kind: string, message: RegExp, advice: RegExp][] = [
    [
      'a governor that saves power',
      { governors: ['performance', 'powersave'] },
      'governor',
      /powersave\)/,
      /cpupower/,
    ],
    ['time that was stolen', { stolen: 0.031 }, 'steal', /3\.1 % of this machine/, /bare metal/],
    [
      'another program on its processor',
      { preempted: 1 },
      'preempted',
      /from the pacing thread once$/,
      /--cpu N/,
    ],
    [
      'another program where the ordinary class was asked for',
      { preempted: 12, wantsRealtime: false, realtime: false },
      'preempted',
      /12 times$/,
      /without --no-realtime/,
    ],
    [
      'a real-time class that was refused',
      { realtime: false },
      'realtime-denied',
      /not allowed/,
      /CAP_SYS_NICE/,
    ],
    [
      'a real-time class that was left',
      { yielded: 2 },
      'realtime-left',
      /2 times, because it did not sleep/,
      /more slowly/,
    ],
    ['reading that was behind', { starved: 40 }, 'reading', /40 of them were read too late/, /faster disk/],
  ];
  for (const [name, change, kind, message, advice] of cases) {
    test(`name ${name} and what to do`, () => {
      const [warning, ...others] = warningsOf(facts(change));
      assert.deepEqual(others, []);
      assert.equal(warning?.kind, kind);
      assert.match(warning.message, /^packets were up to 50 ?ms late: /);
      assert.match(warning.message, message);
      assert.match(warning.advice, advice);
    });
  }

  test('name every cause that there is', () => {
    assert.deepEqual(kindsOf(everything), ['reading', 'realtime-denied', 'preempted', 'steal', 'governor']);
  });

  test('are none where packets went out in time, whatever the host looks like', () => {
    assert.deepEqual(kindsOf({ ...everything, lateness: { p99: 100_000n, max: MS } }), []);
    assert.deepEqual(kindsOf({ ...everything, lateness: null }), []);
    assert.equal(kindsOf({ ...everything, lateness: { p99: 100_001n, max: 200_000n } }).length, 5);
    assert.equal(kindsOf({ ...everything, lateness: { p99: 1n, max: MS + 1n } }).length, 5);
  });

  test('are none where nothing explains the lateness', () => {
    assert.deepEqual(kindsOf({}), []);
    assert.deepEqual(kindsOf({ governors: [], stolen: 0.005 }), []);
  });

  test('do not call a class denied that was left, or not wanted', () => {
    assert.deepEqual(kindsOf({ realtime: false, yielded: 1 }), ['realtime-left']);
    assert.deepEqual(kindsOf({ realtime: false, wantsRealtime: false }), []);
  });

  test('one that was away is told, in time or not', () => {
    const [warning] = warningsOf(facts({ lateness: null, lapses: 2 }));
    assert.equal(warning?.kind, 'away');
    assert.match(warning.message, /stood still for seconds 2 times: what was due meanwhile was left out/);
  });
});
