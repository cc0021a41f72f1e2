// When a run starts that waits for its start: in its progress, and in the list of runs.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { beginRun, type RunState } from '@capfleet/coordinator/domain/run-state';
import { summarise } from '@capfleet/coordinator/usecases/list-runs';
import { newRun } from '@capfleet/coordinator/usecases/run-request';
import { replayProgressBar } from '@capfleet/cli/show/progress';
import { phaseText, startWait } from '@capfleet/cli/show/start-wait';
import { statsLines } from '@capfleet/cli/show/stats';
import { unseenView } from '@capfleet/shared/contract/run-view';
import { sensorPlan } from '../../../support/play-results.ts';

const start = '2026-12-01T08:00:00.000000000Z';
const now = Date.parse('2026-12-01T04:48:00Z');
const text = 'starts at 2026-12-01T08:00:00Z, in 3 h 12 min';

function armed(milliseconds: number): RunState {
  return { ...beginRun(['a'], false), phase: 'armed', start: BigInt(Date.now() + milliseconds) * 1_000_000n };
}

test('a start that is waited for is told with its instant and how long it is until then', () => {
  assert.equal(startWait({ phase: 'armed', start }, now), text);
  assert.equal(startWait({ phase: 'committing', start: BigInt(Date.parse(start)) * 1_000_000n }, now), text);
  assert.equal(
    startWait({ phase: 'armed', start: '2026-12-01T08:00:00.250000000Z' }, now),
    'starts at 2026-12-01T08:00:00.25Z, in 3 h 12 min',
  );
  assert.equal(startWait({ phase: 'armed', start }, Date.parse(start) + 1), 'starts at 2026-12-01T08:00:00Z');
  assert.equal(startWait({ phase: 'preparing', start: null }, now), null);
  assert.equal(startWait({ phase: 'playing', start }, now), null);
});

test('without a terminal a long wait is one line, and the usual lead is none', () => {
  for (const make of [replayProgressBar, statsLines]) {
    const stream = new PassThrough({ encoding: 'utf8' });
    const bar = make === statsLines ? statsLines(stream, 1000) : replayProgressBar(stream, 0n);
    bar.update(armed(1000));
    assert.equal(stream.read(), null);
    const state = armed(600_000);
    bar.update(state);
    bar.update(state);
    bar.stop();
    assert.match(String(stream.read()), /^capfleet: starts at 20\S+Z, in 10 min\n$/);
  }
});

test('on a terminal the bar counts down to the start, though nothing is heard meanwhile', async () => {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true });
  const bar = replayProgressBar(Object.assign(stream, { cursorTo: () => true }), 0n);
  try {
    bar.update(armed(30_000));
    await sleep(2300);
    const counts = String(stream.read()).match(/starts at 20\S+Z, in \d+ s/g) ?? [];
    assert.ok(new Set(counts).size > 1, counts.join());
  } finally {
    bar.stop();
  }
});

test('the list of runs tells what each that is under way does', () => {
  assert.equal(phaseText({ phase: 'waiting', start: null }, now), 'waits for its sensors');
  assert.equal(phaseText({ phase: 'preparing', start: null }, now), 'preparing');
  assert.equal(
    phaseText({ phase: 'armed', start }, now),
    'waits for its start at 2026-12-01T08:00:00Z, in 3 h 12 min',
  );
  assert.equal(phaseText({ phase: 'playing', start }, now), 'playing');
});

test('the summary of a run has the phase and the start while it is under way, and only then', () => {
  const settings = { lead: 1n, startAt: null, clock: 'auto', maxClockBound: 1n, whenBusy: 'refuse' } as const;
  const times = { sensorTimeoutMs: 1, prepareTimeoutMs: 1, orphanTimeoutMs: null, rejoinMs: null };
  const { record } = newRun({ run: 'r', plans: [sensorPlan('a')], ...settings, ...times }, 0n);
  const view = { ...unseenView(record.run, ['a']), phase: 'armed', start } as const;
  const of = (isHeld: boolean, isOver: boolean, seen: typeof view | null = view): unknown[] => {
    const outcome = isOver ? ({ outcome: 'done', holds: true } as const) : null;
    const { state, phase, start } = summarise({ record, isHeld, outcome, view: seen });
    return [state, phase, start];
  };
  assert.deepEqual(of(true, false), ['under way', 'armed', start]);
  assert.deepEqual(of(true, false, null), ['under way', 'waiting', null]);
  assert.deepEqual(of(false, false), ['orphaned', null, null]);
  assert.deepEqual(of(true, true), ['done', null, null]);
});
