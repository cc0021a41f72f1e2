/** Facts, results and plans as agents and coordinator exchange them; what a test does not name is plain and good. */
import type { ChosenClock } from '@capfleet/coordinator/domain/reference-clock';
import type { PrepareJob } from '@capfleet/shared/contract/agent-messages';
import type { SystemClockFacts } from '@capfleet/shared/contract/reference-clock';
import {
  emptyAccounts,
  type Accounts,
  type ClockCourse,
  type ClockFacts,
  type PlayResult,
} from '@capfleet/shared/contract/report';
import { plainReplay, type PlanFile, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';

/** Nothing disciplines it, as on many a machine. */
export const plainSystemClock: SystemClockFacts = {
  offset: '1000',
  readBound: '50',
  synchronised: false,
  maxErrorUs: 16_000_000,
  taiOffset: 0,
};

export const goodClock: ClockFacts = {
  offset: '1000',
  bound: '50000',
  roundTrip: '100000',
  probes: 40,
  system: plainSystemClock,
};

/** The clock of a run's start, as two sensors know it. */
export function redisClock(a = 50_000n, b = 50_000n): ChosenClock {
  const bounds = new Map([
    ['a', a],
    ['b', b],
  ]);
  return { name: 'redis', reason: 'asked for', behindRedis: 0n, bounds };
}

const unset = { count: 0, total: '0' };
const goodCourse: ClockCourse = {
  drift: { ppb: 0, bound: 1000 },
  worstBound: '50000',
  slewed: '0',
  referenceSet: unset,
  wallSet: unset,
};

export function accounts(change: Partial<Accounts> = {}): Accounts {
  return { ...emptyAccounts(), ...change };
}

/** A play that sent all of its 10 packets in time. */
export function playResult(change: Partial<PlayResult> = {}): PlayResult {
  return {
    outcome: 'done',
    error: null,
    accounts: accounts({ read: 10, sent: 10, sentBytes: 600 }),
    elsewhere: 0,
    paced: 10,
    lateness: { p50: '1000', p90: '2000', p99: '3000', p999: '4000', max: '5000' },
    startError: '2000',
    endDrift: '1000',
    firstSent: '1600000000000000000',
    lastSent: '1600000001000000000',
    loops: 1,
    shortened: '0',
    firstOversize: null,
    starved: 0,
    pacing: {
      spin: 'auto',
      processor: null,
      realtime: true,
      yielded: 0,
      margin: '60000',
      cpu: '1000000',
      preempted: 0,
      lockedBytes: 0,
    },
    departures: null,
    pauses: { count: 0, total: '0' },
    interfaceCounters: null,
    warnings: [],
    files: [],
    clock: goodClock,
    clockAfter: goodClock,
    clockCourse: goodCourse,
    ...change,
  };
}

export function planFile(change: Partial<PlanFile> = {}): PlanFile {
  return {
    path: '/data/a.pcap',
    fileSize: 1000,
    version: '1',
    earliest: '0',
    latest: '1000',
    packets: 10,
    maxCaptured: 60,
    linkTypes: [1],
    ...change,
  };
}

/** What a timeline says beside its span, speed and loops, of a replay as it was. */
export const plainTiming = {
  windowed: false,
  pace: { kind: 'original' },
  loopDelay: '0',
  maxGap: null,
  limit: null,
  duration: null,
} as const;

export function sensorPlan(sensor: string, change: Partial<SensorPlan> = {}): SensorPlan {
  return {
    sensor,
    timeline: { base: '0', period: '1000', speed: '1/1', loops: 1, ...plainTiming },
    files: [planFile()],
    edits: plainReplay.edits,
    policies: plainReplay.policies,
    ...change,
  };
}

export function prepareJob(run: string, epoch: number, sensor = 'one'): PrepareJob {
  return {
    v: 1,
    run,
    epoch,
    validUntil: '4000000000000000000',
    startAt: null,
    startedAt: null,
    orphanTimeoutMs: null,
    plan: sensorPlan(sensor),
  };
}
