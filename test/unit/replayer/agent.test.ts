import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fromSensorSchema } from '@capfleet/shared/contract/agent-messages';
import { Failure } from '@capfleet/shared/errors/failure';
import {
  SHORTEST_LEAD,
  step,
  toMessage,
  type AgentEffect,
  type AgentEvent,
  type AgentState,
} from '@capfleet/replayer/agent';
import { goodClock, playResult, prepareJob } from '../../support/play-results.ts';

const RUN = 'run-1';
const EPOCH = 5;
const error = new Failure('link-failed', { interface: 'eth1', reason: 'r' }).toRecord();
const result = playResult();
const start = 1_700_000_000_000_000_000n;

type Phase = AgentState['phase'];
const PHASES: Phase[] = ['idle', 'preparing', 'ready', 'committed', 'acknowledged', 'playing', 'stopping'];

function stateIn(phase: Phase, joins = false): AgentState {
  return phase === 'idle' ? { phase } : { phase, run: RUN, epoch: EPOCH, joins };
}

const events = {
  'a plan of another run': { type: 'plan', job: prepareJob('run-2', 1) },
  'the same plan again': { type: 'plan', job: prepareJob(RUN, EPOCH) },
  'the plan of an older epoch': { type: 'plan', job: prepareJob(RUN, EPOCH - 1) },
  'the plan of a newer epoch': { type: 'plan', job: prepareJob(RUN, EPOCH + 1) },
  prepared: { type: 'prepared', clock: goodClock },
  failed: { type: 'failed', error },
  'a commit': { type: 'commit', epoch: EPOCH, clock: 'system', start, lead: SHORTEST_LEAD },
  'a commit too late': { type: 'commit', epoch: EPOCH, clock: 'system', start, lead: SHORTEST_LEAD - 1n },
  'a commit in the past': { type: 'commit', epoch: EPOCH, clock: 'system', start, lead: -1_000_000_000n },
  'a commit of an older epoch': { type: 'commit', epoch: EPOCH - 1, clock: 'system', start, lead: 10n ** 9n },
  'a commit of a newer epoch': { type: 'commit', epoch: EPOCH + 1, clock: 'system', start, lead: 10n ** 9n },
  'the start being near': { type: 'near', epoch: EPOCH, clock: 'system', start, lead: SHORTEST_LEAD },
  'the start being too near': {
    type: 'near',
    epoch: EPOCH,
    clock: 'system',
    start,
    lead: SHORTEST_LEAD - 1n,
  },
  'a start of an older epoch being near': {
    type: 'near',
    epoch: EPOCH - 1,
    clock: 'system',
    start,
    lead: SHORTEST_LEAD,
  },
  'a confirmation': { type: 'confirm', epoch: EPOCH, lead: SHORTEST_LEAD },
  'a confirmation too late': { type: 'confirm', epoch: EPOCH, lead: SHORTEST_LEAD - 1n },
  'a confirmation of an older epoch': { type: 'confirm', epoch: EPOCH - 1, lead: SHORTEST_LEAD },
  'no confirmation': { type: 'unconfirmed', epoch: EPOCH },
  'no confirmation of an older epoch': { type: 'unconfirmed', epoch: EPOCH - 1 },
  'a cancel': { type: 'cancel', epoch: EPOCH },
  'a cancel of an older epoch': { type: 'cancel', epoch: EPOCH - 1 },
  'a stop': { type: 'stop' },
  ended: { type: 'ended', result },
} satisfies Record<string, AgentEvent>;
type EventName = keyof typeof events;
const wayToStart = [
  'the same plan again',
  'prepared',
  'a commit',
  'the start being near',
  'a confirmation',
] as const satisfies EventName[];

/** `phase` and `effects` after the event; what is not listed changes nothing and does nothing. */
const TRANSITIONS: Partial<Record<EventName, Partial<Record<Phase, [Phase, ...string[]]>>>> = {
  'a plan of another run': {
    idle: ['preparing', 'prepare run-2/1'],
    preparing: ['preparing', 'say refused sensor-busy to run-2/1'],
    ready: ['ready', 'say refused sensor-busy to run-2/1'],
    committed: ['committed', 'say refused sensor-busy to run-2/1'],
    acknowledged: ['acknowledged', 'say refused sensor-busy to run-2/1'],
    playing: ['playing', 'say refused sensor-busy to run-2/1'],
    stopping: ['stopping', 'say refused sensor-busy to run-2/1'],
  },
  'the same plan again': { idle: ['preparing', `prepare ${RUN}/5`] },
  'the plan of an older epoch': { idle: ['preparing', `prepare ${RUN}/4`] },
  'the plan of a newer epoch': {
    idle: ['preparing', `prepare ${RUN}/6`],
    preparing: ['preparing', 'abandon', `prepare ${RUN}/6`],
    ready: ['preparing', 'abandon', `prepare ${RUN}/6`],
    committed: ['preparing', 'abandon', `prepare ${RUN}/6`],
    acknowledged: ['preparing', 'abandon', `prepare ${RUN}/6`],
    playing: ['playing', `say refused sensor-busy to ${RUN}/6`],
    stopping: ['stopping', `say refused sensor-busy to ${RUN}/6`],
  },
  prepared: { preparing: ['ready', `say ready to ${RUN}/5`] },
  failed: {
    preparing: ['idle', `say refused link-failed to ${RUN}/5`, 'abandon'],
    ready: ['idle', `say refused link-failed to ${RUN}/5`, 'abandon'],
    committed: ['idle', `say refused link-failed to ${RUN}/5`, 'abandon'],
    acknowledged: ['idle', `say refused link-failed to ${RUN}/5`, 'abandon'],
    playing: ['idle', `say refused link-failed to ${RUN}/5`, 'abandon'],
    stopping: ['idle', `say refused link-failed to ${RUN}/5`, 'abandon'],
  },
  'a commit': { ready: ['committed', `await ${String(start)} by system`] },
  'the start being near': {
    committed: ['acknowledged', `arm ${String(start)} by system`, `say acknowledged to ${RUN}/5`],
  },
  'the start being too near': { committed: ['idle', `say refused start-missed to ${RUN}/5`, 'abandon'] },
  'a confirmation': { acknowledged: ['playing', 'start'] },
  'a confirmation too late': { acknowledged: ['idle', `say refused start-missed to ${RUN}/5`, 'abandon'] },
  'no confirmation': {
    committed: ['idle', `say refused start-unconfirmed to ${RUN}/5`, 'abandon'],
    acknowledged: ['idle', `say refused start-unconfirmed to ${RUN}/5`, 'abandon'],
  },
  'a commit too late': { ready: ['idle', `say refused start-missed to ${RUN}/5`, 'abandon'] },
  'a commit in the past': { ready: ['idle', `say refused start-missed to ${RUN}/5`, 'abandon'] },
  'a cancel': {
    preparing: ['idle', 'abandon'],
    ready: ['idle', 'abandon'],
    committed: ['idle', 'abandon'],
    acknowledged: ['idle', 'abandon'],
    playing: ['stopping', 'stop'],
  },
  'a stop': {
    preparing: ['idle', 'abandon'],
    ready: ['idle', 'abandon'],
    committed: ['idle', `say refused run-stopped to ${RUN}/5`, 'abandon'],
    acknowledged: ['idle', `say refused run-stopped to ${RUN}/5`, 'abandon'],
    playing: ['stopping', 'stop'],
  },
  ended: {
    playing: ['idle', `say report to ${RUN}/5`],
    stopping: ['idle', `say report to ${RUN}/5`],
  },
};

function tell(effect: AgentEffect): string {
  switch (effect.do) {
    case 'prepare':
      return `prepare ${effect.job.run}/${effect.job.epoch}`;
    case 'say': {
      const code = effect.what.type === 'refused' ? ` ${effect.what.error.code}` : '';
      return `say ${effect.what.type}${code} to ${effect.run}/${effect.epoch}`;
    }
    case 'await':
    case 'arm':
      return `${effect.do} ${String(effect.start)} by ${effect.clock}`;
    default:
      return effect.do;
  }
}

describe('an agent', () => {
  for (const [name, event] of Object.entries(events)) {
    for (const phase of PHASES) {
      const known = TRANSITIONS[name as EventName]?.[phase];
      const [next, ...effects] = known ?? [phase];
      test(`that is ${phase}, on ${name}: ${known ? [next, ...effects].join(', ') : 'nothing'}`, () => {
        const before = stateIn(phase);
        const after = step(before, event, 'one');
        assert.equal(after.state.phase, next);
        assert.deepEqual(after.effects.map(tell), effects);
        if (!known) assert.deepEqual(after.state, before);
      });
    }
  }

  test('follows a run from plan to report, and is free again', () => {
    let state: AgentState = { phase: 'idle' };
    const said: string[] = [];
    for (const name of [...wayToStart, 'ended'] as const) {
      const next = step(state, events[name], 'one');
      state = next.state;
      said.push(...next.effects.map(tell));
    }
    assert.deepEqual(said, [
      `prepare ${RUN}/5`,
      `say ready to ${RUN}/5`,
      `await ${String(start)} by system`,
      `arm ${String(start)} by system`,
      `say acknowledged to ${RUN}/5`,
      'start',
      `say report to ${RUN}/5`,
    ]);
    assert.deepEqual(state, { phase: 'idle' });
  });

  test('follows the newest epoch: words of the one before are passed over', () => {
    let { state } = step(stateIn('ready'), events['the plan of a newer epoch'], 'one');
    state = step(state, events.prepared, 'one').state;
    assert.deepEqual(step(state, events['a commit'], 'one'), { state, effects: [] });
    assert.deepEqual(step(state, events['a cancel'], 'one'), { state, effects: [] });
    const { effects } = step(state, events['a commit of a newer epoch'], 'one');
    assert.deepEqual(effects.map(tell), [`await ${String(start)} by system`]);
  });

  test('joins a run that has begun, whenever it began', () => {
    const job = { ...prepareJob(RUN, EPOCH), startedAt: { start: String(start), clock: 'system' as const } };
    let { state } = step({ phase: 'idle' }, { type: 'plan', job }, 'one');
    state = step(state, events.prepared, 'one').state;
    const { effects } = step(state, events['a commit in the past'], 'one');
    assert.deepEqual(effects.map(tell), [
      `arm ${String(start)} by system`,
      'start',
      `say acknowledged to ${RUN}/5`,
    ]);
  });

  test('says who it is busy with, and how late the start came', () => {
    const busy = step(stateIn('playing'), events['a plan of another run'], 'one').effects[0];
    assert.ok(busy?.do === 'say' && busy.what.type === 'refused');
    assert.match(busy.what.error.message, /sensor one .* run-1/);
    const missed = step(stateIn('ready'), events['a commit in the past'], 'one').effects[0];
    assert.ok(missed?.do === 'say' && missed.what.type === 'refused');
    assert.match(missed.what.error.message, /sensor one .* -1000 ms/);
  });

  test('never starts without a commit and a confirmation of the run and epoch it is ready for, whatever it hears', () => {
    // Most of what is heard has its place on the way to a start, so that many of the runs get as far as a start.
    const all = Object.keys(events) as EventName[];
    const anyEvent = fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom(...all) },
      { weight: 3, arbitrary: fc.constantFrom(...wayToStart) },
    );
    let starts = 0;
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 10, maxLength: 40 }), (heard) => {
        let state: AgentState = { phase: 'idle' };
        let busy = 0;
        let acknowledged: string | null = null;
        for (const name of heard) {
          const event: AgentEvent = events[name];
          const before = state;
          const next = step(state, event, 'one');
          state = next.state;
          for (const effect of next.effects) {
            if (effect.do === 'say' && effect.what.type === 'acknowledged')
              acknowledged = `${effect.run}/${effect.epoch}`;
            if (effect.do === 'start') {
              starts += 1;
              assert.ok(before.phase === 'acknowledged' && event.type === 'confirm');
              assert.equal(event.epoch, before.epoch);
              assert.ok(event.lead >= SHORTEST_LEAD);
              assert.equal(acknowledged, `${before.run}/${before.epoch}`);
            }
            // One play at a time: prepared only when idle or after abandoning, ended once.
            if (effect.do === 'prepare') busy += 1;
            if (effect.do === 'abandon' || (effect.do === 'say' && effect.what.type === 'report')) busy -= 1;
            assert.ok(busy === 0 || busy === 1, `${busy} plays`);
          }
          assert.equal(busy === 1, state.phase !== 'idle');
        }
      }),
      { numRuns: 1000 },
    );
    assert.ok(starts > 50, `${starts} starts`);
  });

  test('puts its words into messages that fit their schema', () => {
    const link = { interface: 'eth1', kind: 'af_packet' };
    const says = [
      step(stateIn('preparing'), events.prepared, 'one'),
      step(stateIn('preparing'), events.failed, 'one'),
      step(stateIn('committed'), events['the start being near'], 'one'),
      step(stateIn('playing'), events.ended, 'one'),
    ].flatMap(({ effects }) => effects.filter((effect) => effect.do === 'say'));
    assert.equal(says.length, 4);
    for (const say of says) {
      const message = toMessage(say, 'one', { link, place: 'p' });
      assert.deepEqual(fromSensorSchema.parse(JSON.parse(JSON.stringify(message))), message);
      assert.deepEqual([message.sensor, message.epoch], ['one', EPOCH]);
    }
    const ready = toMessage(says[0]!, 'one', { link, place: 'p' });
    assert.ok(ready.type === 'ready');
    assert.deepEqual([ready.interface, ready.link, ready.place], ['eth1', 'af_packet', 'p']);
    assert.deepEqual(ready.clock, goodClock);
  });
});
