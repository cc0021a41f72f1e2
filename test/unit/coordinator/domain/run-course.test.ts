import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { plannedRate } from '@capfleet/coordinator/domain/planned-rate';
import { alongCourse, closeCourse, type Course } from '@capfleet/coordinator/domain/run-course';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import type { RunReport } from '@capfleet/shared/contract/report';
import { unseenView, type RunView } from '@capfleet/shared/contract/run-view';
import { SECOND } from '@capfleet/shared/time/nanos';

function viewAt(position: number, sent: number): RunView {
  const view = unseenView('r', ['a', 'b']);
  const progress = { sent, sentBytes: 0, refused: 0, position: String(position), loops: 0, lateness: null };
  return {
    ...view,
    sensors: view.sensors.map((each) => (each.sensor === 'a' ? { ...each, progress } : each)),
  };
}

describe('the course of a run', () => {
  test('keeps the first and the latest point, and few between, however long it gets', () => {
    let course: Course = [];
    for (let second = 1; second <= 100_000; second += 1)
      course = alongCourse(course, viewAt(second * 1e9, second * 10));
    const points = course[0]?.points ?? [];
    assert.ok(points.length > 200 && points.length <= 480, String(points.length));
    assert.deepEqual(points.at(-1), [1e14, 1_000_000]);
    assert.ok(points.every(([at, sent]) => sent === at / 1e8));
    assert.deepEqual(course[1]?.points, []);
  });

  test('stays the same where nothing is new', () => {
    const course = alongCourse([], viewAt(1e9, 5));
    assert.equal(alongCourse(course, viewAt(1e9, 5)), course);
    assert.equal(alongCourse(course, unseenView('r', ['a', 'b'])), course);
  });

  test('ends with what the report says', () => {
    const course = alongCourse([], viewAt(1e9, 5));
    const start = '2026-01-01T00:00:00Z';
    const lastSent = String(BigInt(Date.parse(start)) * 1_000_000n + 2n * SECOND);
    const sensors = [{ sensor: 'a', result: { lastSent, accounts: { sent: 9 } } }];
    const closed = closeCourse(course, { start, sensors } as unknown as RunReport);
    assert.deepEqual(closed, [
      {
        sensor: 'a',
        points: [
          [1e9, 5],
          [2e9, 9],
        ],
      },
    ]);
  });
});

function planOf(timeline: Partial<SensorPlan['timeline']>, files: [number, number, number][]): SensorPlan {
  const base = 1_700_000_000n * SECOND;
  return {
    sensor: 'a',
    timeline: {
      base: String(base),
      period: String(240n * SECOND),
      speed: '1/1',
      loops: 1,
      windowed: false,
      pace: { kind: 'original' },
      loopDelay: '0',
      maxGap: null,
      limit: null,
      duration: null,
      ...timeline,
    },
    files: files.map(([from, to, packets]) => ({
      earliest: String(base + BigInt(from) * SECOND),
      latest: String(base + BigInt(to) * SECOND),
      packets,
    })),
  } as unknown as SensorPlan;
}

describe('the planned rate', () => {
  const packetsOf = (plan: SensorPlan): number[] => plannedRate([plan])?.sensors[0]?.packetsOver ?? [];
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

  test('has all packets, where they are due', () => {
    const plan = planOf({}, [
      [0, 120, 1200],
      [200, 240, 40],
    ]);
    const packets = packetsOf(plan);
    assert.equal(plannedRate([plan])?.bucket, 1e9);
    assert.equal(sum(packets), 1240);
    assert.deepEqual(
      [0, 119, 121, 199, 200, 239].map((bucket) => packets[bucket]),
      [10, 10, 0, 0, 1, 1],
    );
  });

  test('goes with speed, loops and window', () => {
    const fast = planOf({ speed: '2/1', loops: 2 }, [[0, 240, 2400]]);
    assert.equal(plannedRate([fast])?.bucket, 1e9);
    assert.equal(sum(packetsOf(fast)), 4800);
    const half = planOf({ windowed: true, period: String(120n * SECOND) }, [[-120, 240, 3600]]);
    assert.equal(sum(packetsOf(half)), 1200);
    const cut = planOf({ duration: String(60n * SECOND) }, [[0, 240, 2400]]);
    assert.equal(sum(packetsOf(cut)), 600);
  });

  test('is not known where stamps do not say when packets are due', () => {
    for (const timeline of [
      { pace: { kind: 'top' } },
      { maxGap: '1' },
      { limit: 5 },
      { loops: 0 },
    ] as Partial<SensorPlan['timeline']>[])
      assert.equal(plannedRate([planOf(timeline, [[0, 1, 1]])]), null);
  });
});
