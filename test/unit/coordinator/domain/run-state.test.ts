import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { FromSensor } from '@capfleet/shared/contract/agent-messages';
import { Failure } from '@capfleet/shared/errors/failure';
import {
  beginRun,
  FIRST_EPOCH,
  step,
  type Phase,
  type RunEffect,
  type RunEvent,
  type RunState,
} from '@capfleet/coordinator/domain/run-state';
import { goodClock, playResult, redisClock } from '../../../support/play-results.ts';

const EPOCH = FIRST_EPOCH;
const START = 1_700_000_000_000_000_000n;
const refusal = new Failure('interface-down', { interface: 'eth1' }).toRecord();

const ready = (sensor: string, epoch = EPOCH): RunEvent =>
  said({ type: 'ready', sensor, epoch, interface: 'eth1', link: 'af_packet', place: 'p', clock: goodClock });
const acknowledged = (sensor: string, epoch = EPOCH): RunEvent =>
  said({ type: 'acknowledged', sensor, epoch });
const refused = (sensor: string, epoch = EPOCH): RunEvent =>
  said({ type: 'refused', sensor, epoch, error: refusal });
const report = (sensor: string, epoch = EPOCH): RunEvent =>
  said({ type: 'report', sensor, epoch, result: playResult() });
const stopped = (sensor: string): RunEvent =>
  said({ type: 'report', sensor, epoch: EPOCH, result: playResult({ outcome: 'stopped' }) });
const progress = (sensor: string, sent: number, epoch = EPOCH): RunEvent =>
  said({
    type: 'progress',
    sensor,
    epoch,
    sent,
    sentBytes: 0,
    refused: 0,
    position: '5',
    loops: 0,
    lateness: null,
  });
const lost = (sensor: string): RunEvent => ({ type: 'lost', sensor });
const decided: Extract<RunEvent, { type: 'start-decided' }> = {
  type: 'start-decided',
  start: START,
  clock: redisClock(),
};
const deadline: RunEvent = { type: 'deadline', seconds: 30 };
const started: RunEvent = { type: 'started' };
const stopAsked: RunEvent = { type: 'stop-asked' };

function said(message: FromSensor): RunEvent {
  return { type: 'said', message };
}

function play(
  events: readonly RunEvent[],
  state = beginRun(['a', 'b'], false),
): { state: RunState; effects: RunEffect[] } {
  const effects: RunEffect[] = [];
  for (const event of events) {
    const next = step(state, event);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
}

const WAY: Record<Phase, RunEvent[]> = {
  preparing: [ready('a')],
  committing: [ready('a'), ready('b'), decided, acknowledged('a')],
  armed: [ready('a'), ready('b'), decided, acknowledged('a'), acknowledged('b')],
  playing: [ready('a'), ready('b'), decided, acknowledged('a'), acknowledged('b'), started],
  stopping: [ready('a'), ready('b'), decided, acknowledged('a'), acknowledged('b'), started, stopAsked],
  ended: [ready('a'), refused('b')],
};

describe('a run', () => {
  test('goes from plan to end when all goes well', () => {
    let state = beginRun(['a', 'b'], false);
    const hear = (...events: RunEvent[]): [Phase, RunEffect[]] => {
      const next = play(events, state);
      state = next.state;
      return [state.phase, next.effects];
    };
    assert.deepEqual(hear(ready('a')), ['preparing', []]);
    assert.deepEqual(hear(ready('b')), ['preparing', [{ do: 'decide-start' }]]);
    const commit = { do: 'commit', epoch: EPOCH, start: START, clock: 'redis' } as const;
    assert.deepEqual(hear(decided), ['committing', [commit]]);
    assert.deepEqual(hear(acknowledged('b')), ['committing', []]);
    assert.deepEqual(hear(acknowledged('a')), ['armed', [{ do: 'confirm' }]]);
    assert.deepEqual(hear(started), ['playing', []]);
    assert.deepEqual(hear(progress('a', 7), progress('b', 3), progress('a', 9)), ['playing', []]);
    assert.deepEqual(
      [...state.sensors.values()].map((sensor) => sensor.progress?.sent),
      [9, 3],
    );
    assert.deepEqual(hear(report('a')), ['playing', []]);
    assert.deepEqual(hear(report('b')), ['ended', []]);
    assert.deepEqual([state.cancelled, state.start, state.clock], [null, START, decided.clock]);
  });

  const table: [Phase, string, RunEvent, Phase, ...string[]][] = [
    ['preparing', 'the last sensor is ready', ready('b'), 'preparing', 'decide-start'],
    ['preparing', 'a sensor says ready again', ready('a'), 'preparing'],
    ['preparing', 'a start is decided', decided, 'committing', 'commit'],
    ['preparing', 'the start is refused', { type: 'start-refused', error: refusal }, 'ended', 'cancel'],
    ['preparing', 'a sensor refuses', refused('b'), 'ended', 'cancel'],
    ['preparing', 'a sensor that was ready refuses', refused('a'), 'ended', 'cancel'],
    ['preparing', 'a sensor is lost', lost('a'), 'ended', 'cancel'],
    ['preparing', 'time is up', deadline, 'ended', 'cancel'],
    ['preparing', 'a stop is asked for', stopAsked, 'ended', 'cancel'],
    ['preparing', 'progress is told', progress('a', 1), 'preparing'],
    ['committing', 'the last sensor acknowledges', acknowledged('b'), 'armed', 'confirm'],
    ['committing', 'the start passes', started, 'committing'],
    ['armed', 'the start passes', started, 'playing'],
    ['armed', 'a sensor is lost', lost('a'), 'ended', 'cancel'],
    ['armed', 'a sensor refuses, its link having broken down', refused('b'), 'ended', 'cancel'],
    ['armed', 'a sensor was told to end', stopped('b'), 'ended', 'cancel'],
    ['armed', 'a sensor has played already', report('b'), 'armed'],
    ['armed', 'a deadline of an earlier phase passes', deadline, 'armed'],
    ['armed', 'a sensor acknowledges again', acknowledged('a'), 'armed'],
    ['armed', 'a stop is asked for', stopAsked, 'stopping', 'stop'],
    ['playing', 'the start passes again', started, 'playing'],
    ['committing', 'a sensor acknowledges again', acknowledged('a'), 'committing'],
    ['committing', 'a sensor says ready again', ready('b'), 'committing'],
    ['committing', 'a start is decided again', { ...decided, start: 1n }, 'committing'],
    ['committing', 'a sensor refuses', refused('b'), 'ended', 'cancel'],
    ['committing', 'a sensor is lost', lost('b'), 'ended', 'cancel'],
    ['committing', 'time is up', deadline, 'ended', 'cancel'],
    ['committing', 'a stop is asked for', stopAsked, 'ended', 'cancel'],
    ['playing', 'a sensor reports', report('a'), 'playing'],
    ['playing', 'a sensor refuses, its play having broken down', refused('a'), 'playing'],
    ['playing', 'a sensor is lost', lost('a'), 'playing'],
    ['playing', 'a sensor acknowledges again', acknowledged('a'), 'playing'],
    ['playing', 'a sensor says ready again', ready('a'), 'playing'],
    ['playing', 'a start is decided again', { ...decided, start: 1n }, 'playing'],
    ['playing', 'a deadline of an earlier phase passes', deadline, 'playing'],
    ['playing', 'a stop is asked for', stopAsked, 'stopping', 'stop'],
    ['stopping', 'a sensor reports', report('a'), 'stopping'],
    ['stopping', 'a sensor refuses', refused('a'), 'stopping'],
    ['stopping', 'a sensor is lost', lost('a'), 'stopping'],
    ['stopping', 'a stop is asked for again', stopAsked, 'stopping'],
    ['stopping', 'a sensor acknowledges', acknowledged('a'), 'stopping'],
    ['stopping', 'time is up', deadline, 'ended'],
    ['ended', 'a sensor reports', report('a'), 'ended'],
    ['ended', 'a sensor is ready', ready('b'), 'ended'],
    ['ended', 'a sensor is lost', lost('a'), 'ended'],
    ['ended', 'a stop is asked for', stopAsked, 'ended'],
    ['ended', 'time is up', deadline, 'ended'],
    ['ended', 'a start is decided', decided, 'ended'],
  ];
  for (const [phase, what, event, next, ...effects] of table) {
    test(`that is ${phase}, when ${what}: ${[next, ...effects].join(', ')}`, () => {
      const { state } = play(WAY[phase]);
      assert.equal(state.phase, phase);
      const after = step(state, event);
      assert.equal(after.state.phase, next);
      assert.deepEqual(
        after.effects.map((effect) => effect.do),
        effects,
      );
      if (phase === 'ended') assert.equal(after.state, state);
    });
  }

  for (const phase of Object.keys(WAY) as Phase[]) {
    test(`that is ${phase} passes over words of another epoch and of strangers`, () => {
      const { state } = play(WAY[phase]);
      for (const make of [
        ready,
        acknowledged,
        refused,
        report,
        (s: string, e?: number) => progress(s, 1, e),
      ]) {
        for (const event of [make('a', EPOCH - 1), make('b', EPOCH + 1), make('stranger')]) {
          assert.deepEqual(step(state, event), { state, effects: [] });
        }
      }
      assert.deepEqual(step(state, lost('stranger')), { state, effects: [] });
    });
  }
});

test('a sensor that says ready again when all are does not have the start decided twice', () => {
  const { state } = play([ready('a'), ready('b')]);
  assert.deepEqual(step(state, ready('a')), { state, effects: [] });
});

describe('a cancelled run', () => {
  for (const [what, events, reason, culprit] of [
    ['names who was not ready in time', [ready('b'), deadline], /sensor a was not ready within 30 s/, 'a'],
    [
      'names who did not acknowledge',
      [ready('a'), ready('b'), decided, acknowledged('a'), deadline],
      /sensor b did not acknowledge/,
      'b',
    ],
    ['says why a sensor refused', [refused('a')], /eth1 is down/, 'a'],
    ['names who was lost', [lost('b')], /sensor b stopped answering/, 'b'],
    ['says why the start was refused', [{ type: 'start-refused', error: refusal }], /eth1 is down/, null],
    ['says that the user stopped it', [stopAsked], /stopped by the user/, null],
  ] as [string, RunEvent[], RegExp, string | null][]) {
    test(what, () => {
      const { state, effects } = play(events);
      assert.equal(state.phase, 'ended');
      assert.match(state.cancelled ?? '', reason);
      const last = effects.at(-1);
      assert.ok(last?.do === 'cancel');
      assert.equal(last.reason, state.cancelled);
      const blamed = [...state.sensors].filter(([, { error }]) => error !== null).map(([name]) => name);
      assert.deepEqual(blamed, culprit === null ? [] : [culprit]);
    });
  }
});

describe('a run that is under way', () => {
  test('goes on for the others when a sensor is lost, and ends with their reports', () => {
    const { state } = play([...WAY.playing, lost('a'), report('b')]);
    assert.equal(state.phase, 'ended');
    assert.equal(state.cancelled, null);
    assert.equal(state.sensors.get('a')?.error?.code, 'sensor-lost');
    assert.ok(state.sensors.get('b')?.result);
  });

  test('keeps the first reason of a sensor, and a report that came before it was lost', () => {
    let { state } = play([...WAY.playing, refused('a'), lost('a')]);
    assert.equal(state.sensors.get('a')?.error?.code, 'interface-down');
    ({ state } = play([...WAY.playing, report('a'), lost('a'), refused('a')]));
    assert.equal(state.sensors.get('a')?.error, null);
    assert.ok(state.sensors.get('a')?.result);
  });

  test('that is stopped ends with the reports of all, or at the deadline without the missing', () => {
    const all = play([...WAY.stopping, report('a'), report('b')]).state;
    assert.deepEqual([all.phase, all.stopAsked, all.cancelled], ['ended', true, null]);
    const some = play([...WAY.stopping, report('b'), deadline]).state;
    assert.equal(some.phase, 'ended');
    assert.equal(some.sensors.get('a')?.error?.code, 'sensor-lost');
    assert.equal(some.sensors.get('b')?.error, null);
  });

  test('that takes sensors back waits for one that is lost, prepares it anew and tells it the start that was', () => {
    let { state } = play(WAY.playing, beginRun(['a', 'b'], true));
    const hear = (event: RunEvent): [Phase, RunEffect[]] => {
      const next = step(state, event);
      state = next.state;
      return [state.phase, [...next.effects]];
    };
    hear(progress('a', 7));
    assert.deepEqual(hear(lost('a')), ['playing', []]);
    assert.deepEqual(hear(report('b')), ['playing', []], 'it waits');
    assert.deepEqual(hear({ type: 'returned', sensor: 'a' }), [
      'playing',
      [{ do: 'prepare', sensor: 'a', epoch: EPOCH + 1, startedAt: { start: START, clock: 'redis' } }],
    ]);
    assert.deepEqual(hear({ type: 'returned', sensor: 'a' }), ['playing', []], 'once');
    assert.deepEqual(hear(report('a')), ['playing', []], 'the agent before is not heard');
    assert.deepEqual(hear(ready('a', EPOCH + 1)), [
      'playing',
      [{ do: 'commit', epoch: EPOCH + 1, start: START, clock: 'redis' }],
    ]);
    assert.deepEqual(hear(acknowledged('a', EPOCH + 1)), ['playing', []]);
    assert.deepEqual(hear(report('a', EPOCH + 1)), ['ended', []]);
    assert.deepEqual(state.sensors.get('a')?.before, [{ sent: 7, position: '5' }]);
  });

  test('that another coordinator carried follows a sensor that it took back, in whatever order that is heard', () => {
    const { state, effects } = play(
      [...WAY.playing, ready('a', 3), acknowledged('a', 3), progress('a', 7), progress('a', 9, 2)],
      beginRun(['a', 'b'], true),
    );
    assert.deepEqual(effects.at(-1), { do: 'commit', epoch: 3, start: START, clock: 'redis' });
    assert.deepEqual(state.sensors.get('a')?.before, [
      { sent: 7, position: '5' },
      { sent: 9, position: '5' },
    ]);
    const over = play([progress('a', 8, 3), report('b'), report('a'), report('a', 3)], state).state;
    assert.deepEqual([over.phase, over.sensors.get('a')?.progress?.sent], ['ended', 8]);
    assert.ok(over.sensors.get('a')?.result);
  });

  test('that takes sensors back has one that was only silent go on, and gives up one that stays away', () => {
    let { state } = play([...WAY.playing, lost('a'), lost('b')], beginRun(['a', 'b'], true));
    state = step(state, { type: 'found', sensor: 'a' }).state;
    assert.deepEqual(step(state, { type: 'returned', sensor: 'a' }), { state, effects: [] });
    state = step(state, report('a')).state;
    assert.equal(state.phase, 'playing');
    state = step(state, { type: 'gone', sensor: 'b' }).state;
    assert.deepEqual([state.phase, state.sensors.get('b')?.error?.code], ['ended', 'sensor-lost']);
  });

  test('that takes sensors back starts without none all the same', () => {
    const { state } = play([...WAY.armed, lost('a')], beginRun(['a', 'b'], true));
    assert.equal(state.phase, 'ended');
  });

  test('of no sensor is a matter for its caller: it waits', () => {
    assert.equal(beginRun([], false).phase, 'preparing');
  });
});

test('whatever is heard in whatever order, a start is committed once, only after all are ready, and the end is final', () => {
  const sensors = ['a', 'b', 'stranger'];
  const epochs = [EPOCH - 1, EPOCH, EPOCH, EPOCH];
  const anyEvent: fc.Arbitrary<RunEvent> = fc.oneof(
    fc
      .tuple(
        fc.constantFrom(ready, acknowledged, refused, report),
        fc.constantFrom(...sensors),
        fc.constantFrom(...epochs),
      )
      .map(([make, sensor, epoch]) => make(sensor, epoch)),
    fc.constantFrom(...sensors).map(lost),
    fc.constantFrom(deadline, stopAsked, started),
  );
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
      let state = beginRun(['a', 'b'], false);
      let commits = 0;
      let cancels = 0;
      const apply = (event: RunEvent): void => {
        const before = state;
        const next = step(state, event);
        state = next.state;
        if (before.phase === 'ended') assert.deepEqual(next, { state: before, effects: [] });
        for (const effect of next.effects) {
          if (effect.do === 'decide-start') apply(decided);
          if (effect.do === 'cancel') cancels += 1;
          if (effect.do !== 'commit') continue;
          commits += 1;
          assert.ok([...state.sensors.values()].every((sensor) => sensor.ready));
        }
      };
      for (const event of events) {
        apply(event);
        if (state.phase === 'playing')
          assert.ok([...state.sensors.values()].every((sensor) => sensor.acknowledged));
        // Nobody is left in a run that is over without a word of why.
        if (state.phase === 'ended' && state.cancelled === null)
          assert.ok(
            [...state.sensors.values()].every(({ result, error }) => result !== null || error !== null),
          );
      }
      assert.ok(commits <= 1 && cancels <= 1);
      assert.equal(cancels === 1, state.cancelled !== null);
    }),
    { numRuns: 1000 },
  );
});
