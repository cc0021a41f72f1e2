import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunStore } from '@capfleet/coordinator/ports/run-store';
import type { SensorChannel } from '@capfleet/coordinator/ports/sensor-channel';
import { replayRun } from '@capfleet/coordinator/usecases/replay-run';
import type { FromSensor, Registration } from '@capfleet/shared/contract/agent-messages';
import { goodClock, sensorPlan } from '../../../support/play-results.ts';

test('an agent that is there, but plays no more and tells nothing, is not waited for', async () => {
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
  const words: FromSensor[][] = [
    [{ type: 'ready', sensor: 'one', epoch: 1, interface: 'null', link: 'null', clock: goodClock }],
    [{ type: 'acknowledged', sensor: 'one', epoch: 1 }],
  ];
  const channel: SensorChannel = {
    registrations: () => Promise.resolve(new Map([['one', registration]])),
    prepare: () => Promise.resolve(),
    say: () => Promise.resolve(),
    listen: async () => {
      await sleep(5);
      return words.shift() ?? [];
    },
    now: () => Promise.resolve(BigInt(Date.now()) * 1_000_000n),
    close: () => Promise.resolve(),
  };
  const store: RunStore = {
    hold: () => Promise.resolve({ held: true }),
    renew: () => Promise.resolve(true),
    create: () => Promise.resolve(),
    load: () => Promise.reject(new Error('not asked for')),
    story: () => Promise.resolve({ commit: null, isOver: false }),
    askToStop: () => Promise.resolve(),
    finish: () => Promise.resolve(),
    release: () => Promise.resolve(),
    report: () => Promise.resolve(null),
    show: () => Promise.resolve(),
    view: () => Promise.resolve(null),
    list: () => Promise.resolve([]),
    listing: () => Promise.reject(new Error('not asked for')),
    adrift: () => Promise.resolve([]),
    isHeld: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
  const report = await replayRun(
    { channel, store },
    {
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
    },
  );
  assert.equal(report.outcome, 'failed');
  assert.equal(report.sensors[0]?.error?.code, 'sensor-lost');
});
