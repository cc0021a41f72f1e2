import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunStore } from '@capfleet/coordinator/ports/run-store';
import type { SensorChannel } from '@capfleet/coordinator/ports/sensor-channel';
import { replayRun } from '@capfleet/coordinator/usecases/replay-run';
import type { RunRequest, RunWorld } from '@capfleet/coordinator/usecases/run-request';
import type { FromSensor, Registration } from '@capfleet/shared/contract/agent-messages';
import { collectGarbage } from '../../../support/collect-garbage.ts';
import { goodClock, playResult, sensorPlan } from '../../../support/play-results.ts';

const registration: Registration = {
  v: 1,
  sensor: 'one',
  instance: 'i',
  place: 'p',
  version: '1',
  host: 'h',
  interface: 'null',
  link: 'null',
  mtu: null,
  up: true,
  clock: null,
  systemClock: null,
  busyWith: null,
};

const ready: FromSensor = {
  type: 'ready',
  sensor: 'one',
  epoch: 1,
  interface: 'null',
  link: 'null',
  place: 'p',
  clock: goodClock,
};
const progress: FromSensor = {
  type: 'progress',
  sensor: 'one',
  epoch: 1,
  sent: 1,
  sentBytes: 1,
  refused: 0,
  position: '1',
  loops: 0,
  lateness: null,
};
const report: FromSensor = { type: 'report', sensor: 'one', epoch: 1, result: playResult() };
const acknowledged: FromSensor = { type: 'acknowledged', sensor: 'one', epoch: 1 };

const request: RunRequest = {
  run: 'r',
  plans: [sensorPlan('one')],
  lead: 500_000_000n,
  startAt: null,
  clock: 'auto',
  maxClockBound: 5_000_000n,
  sensorTimeoutMs: 1000,
  prepareTimeoutMs: 1000,
  whenBusy: 'refuse',
  orphanTimeoutMs: null,
  rejoinMs: null,
  interrupted: new AbortController().signal,
  onChange: () => undefined,
};

/** One sensor, which says what `next` tells, and a store that keeps nothing. */
function worldOf(
  next: () => FromSensor[],
  channel: Partial<SensorChannel> = {},
  store: Partial<RunStore> = {},
): RunWorld {
  return {
    channel: {
      registrations: () => Promise.resolve(new Map([['one', registration]])),
      prepare: () => Promise.resolve(),
      say: () => Promise.resolve(),
      listen: async () => {
        await sleep(5);
        return next();
      },
      now: () => Promise.resolve(BigInt(Date.now()) * 1_000_000n),
      close: () => Promise.resolve(),
      ...channel,
    },
    store: {
      hold: () => Promise.resolve({ held: true }),
      renew: () => Promise.resolve(true),
      create: () => Promise.resolve(true),
      keep: () => Promise.resolve(),
      load: () => Promise.reject(new Error('not asked for')),
      story: () => Promise.resolve({ commit: null, isOver: false }),
      askToStop: () => Promise.resolve(),
      finish: () => Promise.resolve(),
      release: () => Promise.resolve(),
      report: () => Promise.resolve(null),
      show: () => Promise.resolve(),
      view: () => Promise.resolve(null),
      course: () => Promise.reject(new Error('not asked for')),
      list: () => Promise.resolve([]),
      listing: () => Promise.reject(new Error('not asked for')),
      adrift: () => Promise.resolve([]),
      isHeld: () => Promise.resolve(true),
      close: () => Promise.resolve(),
      ...store,
    },
  };
}

test('an agent that is there, but plays no more and tells nothing, is not waited for', async () => {
  const words = [[ready], [acknowledged]];
  const { outcome, sensors } = await replayRun(
    worldOf(() => words.shift() ?? []),
    request,
  );
  assert.equal(outcome, 'failed');
  assert.equal(sensors[0]?.error?.code, 'sensor-lost');
});

test('a run is held also while its plans are handed out', async () => {
  const words = [[ready], [acknowledged], [report]];
  let renewals = 0;
  let handedOut = 0;
  const slowly = async (): Promise<void> => {
    await sleep(1500);
    handedOut = renewals;
  };
  const renew = (): Promise<boolean> => {
    renewals += 1;
    return Promise.resolve(true);
  };
  await replayRun(
    worldOf(() => words.shift() ?? [], { prepare: slowly }, { renew }),
    request,
  );
  assert.ok(handedOut > 0);
});

test('a sensor that fails after the start is not taken for one that failed before it', async () => {
  const words = [[ready], [acknowledged]];
  let start = Number.POSITIVE_INFINITY;
  const failed = { ...report, result: playResult({ outcome: 'failed' }) };
  // Redis is away across the start.
  const listen = async (): Promise<FromSensor[]> => {
    const word = words.shift();
    if (word) return word;
    await sleep(Math.max(0, start - performance.now()) + 50);
    return [failed];
  };
  const say = (): Promise<void> => {
    start = Math.min(start, performance.now() + 500);
    return Promise.resolve();
  };
  const { outcome, totals } = await replayRun(
    worldOf(() => [], { listen, say }),
    request,
  );
  assert.deepEqual([outcome, totals.sent], ['failed', 10]);
});

test('what a sensor said is let go, however long the run', async () => {
  const begin = [[ready], [acknowledged]];
  const said: WeakRef<FromSensor[]>[] = [];
  let left = -1;
  const next = (): FromSensor[] => {
    const word = begin.shift();
    if (word) return word;
    if (said.length < 30) {
      const words: FromSensor[] = [{ ...progress }];
      said.push(new WeakRef(words));
      return words;
    }
    collectGarbage();
    left = said.filter((words) => words.deref()).length;
    return [report];
  };
  // Collecting garbage takes longer than an agent may be idle.
  const busy = { ...registration, busyWith: request.run };
  const registrations = () => Promise.resolve(new Map([['one', busy]]));
  await replayRun(worldOf(next, { registrations }), request);
  assert.ok(left >= 0 && left < 10, `${String(left)} of ${String(said.length)} are still held`);
});

test('a start that is past is refused before anything is handed out, also where it passes meanwhile', async () => {
  let handedOut = 0;
  const prepare = (): Promise<void> => {
    handedOut += 1;
    return Promise.resolve();
  };
  const played = (startAt: number, channel: Partial<SensorChannel> = {}): Promise<unknown> =>
    replayRun(
      worldOf(() => [], { prepare, ...channel }),
      { ...request, startAt: BigInt(startAt) * 1_000_000n },
    );
  await assert.rejects(played(Date.now() - 1000), { code: 'start-past' });
  const registrations = async (): Promise<Map<string, Registration>> => {
    await sleep(300);
    return new Map([['one', registration]]);
  };
  await assert.rejects(played(Date.now() + 200, { registrations }), { code: 'start-past' });
  assert.equal(handedOut, 0);
});
