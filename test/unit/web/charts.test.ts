import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RunCourse } from '@capfleet/shared/contract/api';
import { joined, stretches } from '../../../services/web/src/charts/lanes.ts';
import { ratesOf } from '../../../services/web/src/charts/rates.ts';

describe('stretches of a lane', () => {
  test('run together where it wrote alike, and end where it paused', () => {
    assert.deepEqual(stretches({ writtenOver: [0, 0.5, 1, 1, 0.98, 0, 1] }), [
      { from: 1, to: 2, share: 0.5 },
      { from: 2, to: 5, share: 1 },
      { from: 6, to: 7, share: 1 },
    ]);
    assert.deepEqual(stretches({ writtenOver: [0, 0] }), []);
  });
});

describe('buckets of a rate', () => {
  test('are joined where they hold few packets, and keep all of them', () => {
    const few = Array.from({ length: 480 }, (_, index) => index % 2);
    const { by, packets } = joined(few);
    assert.ok(by > 1 && packets.length >= 40);
    assert.equal(
      packets.reduce((sum, each) => sum + each, 0),
      240,
    );
    assert.equal(joined(few.map(() => 1000)).by, 1);
    assert.deepEqual(joined([7]), { by: 1, packets: [7] });
    assert.deepEqual(joined([]).packets, []);
  });
});

const SECOND = 1e9;

function courseOf(points: Record<string, [number, number][]>, planned: number[] | null): RunCourse {
  const sensors = Object.entries(points).map(([sensor, own]) => ({
    sensor,
    points: own.map(([at, sent]): [number, number] => [at * SECOND, sent]),
  }));
  return {
    run: 'r',
    planned: planned && {
      bucket: SECOND / 10,
      estimated: false,
      sensors: sensors.map(({ sensor }) => ({ sensor, packetsOver: planned })),
    },
    sensors,
  };
}

describe('planned and actual rate', () => {
  const steady = Array.from({ length: 100 }, () => 10);

  test('are those of the sensors that are asked for, in buckets no finer than what sensors tell', () => {
    const points: [number, number][] = Array.from({ length: 10 }, (_, index) => [
      index + 1,
      (index + 1) * 100,
    ]);
    const both = ratesOf(courseOf({ a: points, b: points }, steady), ['a', 'b'], true);
    assert.equal(both.bucket, SECOND);
    assert.deepEqual(
      both.planned,
      Array.from({ length: 10 }, () => 200),
    );
    assert.deepEqual(both.actual.map(Math.round), both.planned);
    assert.equal(ratesOf(courseOf({ a: points, b: points }, steady), ['b'], true).planned?.[0], 100);
  });

  test('end, while it plays, with what is known of all sensors, the lost ones excepted', () => {
    const points: [number, number][] = Array.from({ length: 8 }, (_, index) => [
      index + 1,
      (index + 1) * 100,
    ]);
    const course = courseOf({ a: points, b: points.slice(0, 6), lost: points.slice(0, 1) }, steady);
    assert.equal(ratesOf(course, ['a', 'b', 'lost'], false).actual.length, 6);
    assert.equal(ratesOf(course, ['a', 'b', 'lost'], true).actual.length, 8);
    assert.deepEqual(ratesOf(courseOf({ a: [] }, steady), ['a'], false).actual, []);
  });

  test('of a run without a plan of its rate is the actual one alone', () => {
    const points: [number, number][] = Array.from({ length: 20 }, (_, index) => [
      index + 1,
      (index + 1) * 50,
    ]);
    const { planned, actual } = ratesOf(courseOf({ a: points }, null), ['a'], true);
    assert.equal(planned, null);
    assert.ok(actual.length >= 8 && actual.every((rate) => Math.abs(rate - 50) < 0.01));
  });
});
