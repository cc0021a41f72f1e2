// What the report in words says of the clocks of a run, and of what was left to others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showReport } from '@capfleet/cli/show/report';
import type { ChosenClock } from '@capfleet/coordinator/domain/reference-clock';
import { beginRun } from '@capfleet/coordinator/domain/run-state';
import { reportRun } from '@capfleet/coordinator/domain/run-report';
import { emptyAccounts, type Accounts, type ClockCourse } from '@capfleet/shared/contract/report';
import { playResult, redisClock, sensorPlan } from '../../../support/play-results.ts';

function shown(change: Partial<ClockCourse>, clock: ChosenClock | null = null, elsewhere = 0): string {
  const result = playResult({ elsewhere });
  const state = beginRun(['a'], false);
  const sensor = {
    ...state.sensors.get('a')!,
    result: { ...result, clockCourse: { ...result.clockCourse, ...change } },
  };
  const ended = { ...state, phase: 'ended', start: 0n, clock, sensors: new Map([['a', sensor]]) } as const;
  return showReport(reportRun('run', ended, [sensorPlan('a')]));
}

test('clocks that went as they should are worth no word', () => {
  assert.doesNotMatch(shown({}), /clock was set|due times were moved/);
});

test('packets of other sensors are named where there are any', () => {
  assert.doesNotMatch(shown({}), /other sensors/);
  assert.match(shown({}, null, 1234), /^ {2}a: 1,234 packets left to other sensors$/m);
});

test('the bytes stand with what was sent, and what else left the interface is counted in good English', () => {
  const counted = { ...emptyAccounts(), read: 3, sent: 2, sentBytes: 2048 };
  const accounts = { ...counted, refused: { ...counted.refused, oversize: 1 } };
  const state = beginRun(['a'], false);
  const told = (packets: number): string => {
    const result = playResult({
      accounts,
      interfaceCounters: { packets, dropped: 0, errors: 0 },
    });
    const sensors = new Map([['a', { ...state.sensors.get('a')!, result }]]);
    return showReport(reportRun('run', { ...state, phase: 'ended', start: 0n, sensors }, [sensorPlan('a')]));
  };
  assert.match(told(3), /^\S+: 2 of 3 packets sent \(2\.0 KiB\), 1 not sent, /);
  assert.match(told(3), /1 packet left the interface meanwhile that is not of this run/);
  assert.match(told(4), /2 packets left the interface meanwhile that are not of this run/);
});

test('a clock that was set and a course that was followed are told with their figures', () => {
  const text = shown({
    drift: { ppb: 30_000, bound: 1500 },
    slewed: '-3600000',
    worstBound: '120000',
    referenceSet: { count: 1, total: '-2000000000' },
    wallSet: { count: 2, total: '1000000000' },
  });
  assert.match(
    text,
    /^ {2}a: the reference clock was set once meanwhile, by −2 s in all; no packet followed it$/m,
  );
  assert.match(text, /^ {2}a: the wall clock of its host was set 2 times meanwhile, by 1 s in all/m);
  assert.match(
    text,
    /moved by −3\.6 ms to keep with the reference clock, which runs 30\.0 ± 1\.5 ppm fast; known to ±120 µs at worst/,
  );
});

test('the clock of the start is told with the reason, and how well each sensor knows it', () => {
  const reason = 'the system clock of sensor b is not synchronised (largest error 16 s)';
  const text = shown({}, { ...redisClock(), reason });
  assert.match(text, /^start 1970-\S+Z, by the Redis clock: the system clock of sensor b is not .* 16 s\)$/m);
  assert.match(text, /^a .* 50 µs /m, 'as measured when the start was converted');
  const system = shown({}, { ...redisClock(77_000n), name: 'system', reason: 'asked for' });
  assert.match(system, /^a .* 77 µs /m);
  assert.match(system, /^start 1970-\S+Z, by the system clock: asked for$/m);
});

test('a run that was cancelled says why, without the name of a check', () => {
  const cancelled = { ...beginRun(['a'], false), phase: 'ended', cancelled: 'sensor a is away' } as const;
  assert.equal(
    showReport(reportRun('run', cancelled, [sensorPlan('a')])),
    'cancelled: nothing was sent\n\n  the run was cancelled: sensor a is away\n',
  );
});

test('a reason that a sensor tells with the way out is not told twice', () => {
  const state = beginRun(['a'], false);
  const error = { code: 'interface-down', message: 'interface near is down', hint: 'bring it up' } as const;
  const sensors = new Map([['a', { ...state.sensors.get('a')!, error }]]);
  const cancelled = { ...state, phase: 'ended', cancelled: error.message, sensors } as const;
  assert.equal(
    showReport(reportRun('run', cancelled, [sensorPlan('a')])),
    'cancelled: nothing was sent\n\n  a: interface near is down\n      bring it up\n',
  );
});

test('of a run that was stopped before its first packet no verdict is told', () => {
  const result = playResult({ outcome: 'stopped', accounts: stoppedAtOnce(12_111) });
  const state = beginRun(['a'], false);
  const sensors = new Map([['a', { ...state.sensors.get('a')!, result }]]);
  const stopped = { ...state, phase: 'ended', start: 0n, stopAsked: true, sensors } as const;
  const text = showReport(reportRun('run', stopped, [sensorPlan('a')]));
  assert.match(text, /^stopped: nothing was sent, so that there is nothing to judge\nstart 1970-/);
  assert.doesNotMatch(text, /verdict/);
});

function stoppedAtOnce(packets: number): Accounts {
  const none = emptyAccounts();
  return { ...none, read: packets, refused: { ...none.refused, stopped: packets } };
}
