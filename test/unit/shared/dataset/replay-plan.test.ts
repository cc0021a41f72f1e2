import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import {
  plainReplay,
  planReplay,
  sensorPlanSchema,
  wireDuration,
  type ReplayRequest,
} from '@capfleet/shared/dataset/replay-plan';
import { parseRational } from '@capfleet/shared/time/rational';
import { dueOf } from '@capfleet/shared/time/timeline';
import { failedMap, mappedFile } from '../../../support/file-maps.ts';
import { plainTiming } from '../../../support/play-results.ts';

const T = 1_600_000_000_000_000_000n;
const set = buildDataSet([
  mappedFile('a/1.pcap', [T + 500n, T + 1500n], { maxCaptured: 1514, packets: 7 }),
  mappedFile('b/1.pcap', [T, T + 900n], { linkTypes: [113] }),
  mappedFile('b/2.pcap', [T + 901n, T + 2000n]),
  mappedFile('b/foreign.pcap', [T + 1n, T + 2n], {
    version: null,
    fileSize: 0,
    maxCaptured: 9,
    linkTypes: [],
  }),
  mappedFile('empty.pcap', null),
  failedMap('broken.pcap'),
]);

const request = (rest: Partial<ReplayRequest> = {}): ReplayRequest => ({
  ...plainReplay,
  sensors: ['one', 'two'],
  rule: { by: 'folder' },
  speed: { numerator: 37, denominator: 100 },
  loops: 3,
  ...rest,
});

describe('a replay plan', () => {
  test('has one timeline for all sensors, from the begin of the whole set', () => {
    const plans = planReplay(set, request(), 'dump.json');
    assert.deepEqual(
      plans.map(({ sensor }) => sensor),
      ['one', 'two'],
    );
    for (const { timeline } of plans) {
      assert.deepEqual(timeline, {
        base: String(T),
        period: '2000',
        speed: '37/100',
        loops: 3,
        ...plainTiming,
      });
    }
  });

  test('is refused without end for a set of one instant, and made for a number of loops', () => {
    const instant = buildDataSet([mappedFile('a.pcap', [T, T])]);
    assert.throws(() => planReplay(instant, request({ loops: 0 }), 'dump.json'), {
      code: 'set-without-duration',
    });
    assert.equal(planReplay(instant, request({ loops: 3 }), 'dump.json').length, 2);
  });

  test('tells each sensor all about its files, and only about those with packets', () => {
    const [one, two] = planReplay(set, request(), 'dump.json');
    assert.deepEqual(
      [one, two].map((plan) => plan?.files.map(({ path }) => path)),
      [['/data/a/1.pcap'], ['/data/b/1.pcap', '/data/b/foreign.pcap', '/data/b/2.pcap']].toSorted(
        (a, b) => a.length - b.length,
      ),
    );
    assert.deepEqual(one?.files[0], {
      path: '/data/a/1.pcap',
      fileSize: 1024,
      version: '1600000000000000000',
      earliest: String(T + 500n),
      latest: String(T + 1500n),
      packets: 7,
      maxCaptured: 1514,
      maxWire: 65,
      outOfOrder: 0,
      linkTypes: [1],
    });
  });

  test('does not rely on what a mapping by GopherCap does not tell', () => {
    const plans = planReplay(set, request({ sensors: ['one'] }), 'dump.json');
    const foreign = plans[0]?.files.find(({ path }) => path.endsWith('foreign.pcap'));
    assert.deepEqual([foreign?.fileSize, foreign?.version, foreign?.maxCaptured], [null, null, null]);
  });

  test('fits its own schema after a trip through JSON', () => {
    for (const plan of planReplay(set, request(), 'dump.json')) {
      assert.deepEqual(sensorPlanSchema.parse(JSON.parse(JSON.stringify(plan))), plan);
    }
  });

  test('for a sensor without a file is an empty one', () => {
    const plans = planReplay(set, request({ sensors: ['a', 'b', 'c', 'd'] }), 'dump.json');
    assert.deepEqual(
      plans.map(({ files }) => files.length).filter((count) => count === 0),
      [0, 0],
    );
  });

  test('by flow gives every sensor all files, and a share of its own where there are several', () => {
    const rule = { by: 'flow', tunnels: 'outer' } as const;
    const plans = planReplay(set, request({ rule }), 'dump.json');
    const [alone] = planReplay(set, request({ rule, sensors: ['one'] }), 'dump.json');
    assert.deepEqual(
      plans.map(({ files, share }) => [files, share]),
      [0, 1].map((index) => [alone?.files, { index, of: 2, tunnels: 'outer' }]),
    );
    assert.equal(alone?.share, undefined);
    for (const plan of plans)
      assert.deepEqual(sensorPlanSchema.parse(JSON.parse(JSON.stringify(plan))), plan);
  });

  test('is refused for a set without a packet', () => {
    const empty = buildDataSet([mappedFile('e', null), failedMap('f')]);
    assert.throws(() => planReplay(empty, request(), 'dump.json'), {
      code: 'set-empty',
      fields: { path: 'dump.json' },
    });
  });

  test('lasts its period over the speed', () => {
    const timeline = { base: '0', period: '14400000000000', speed: '18/1', loops: 1, ...plainTiming };
    assert.equal(wireDuration(timeline), 800_000_000_000n);
    const slow = { ...timeline, speed: '1/3' };
    assert.equal(wireDuration(slow), 43_200_000_000_000n);
    const speed = parseRational('1/3')!;
    assert.equal(wireDuration(slow), dueOf(14_400_000_000_000n, 0n, 0n, speed));
  });
});

describe('the schema of a plan refuses', () => {
  const plan = planReplay(set, request(), 'dump.json')[0]!;
  const file = plan.files[0]!;
  for (const [what, wrong] of [
    ['a speed that is no ratio', { ...plan, timeline: { ...plan.timeline, speed: '0' } }],
    ['a speed of letters', { ...plan, timeline: { ...plan.timeline, speed: 'fast' } }],
    ['negative loops', { ...plan, timeline: { ...plan.timeline, loops: -1 } }],
    ['a base that is no integer', { ...plan, timeline: { ...plan.timeline, base: '1.5' } }],
    ['a file without a path', { ...plan, files: [{ ...file, path: '' }] }],
    ['a count below zero', { ...plan, files: [{ ...file, packets: -1 }] }],
    ['a share of nothing', { ...plan, share: { index: 2, of: 2, tunnels: 'inner' } }],
    ['a sensor without a name', { ...plan, sensor: '' }],
    ['a plan without policies', { ...plan, policies: undefined }],
  ] as const) {
    test(what, () => assert.equal(sensorPlanSchema.safeParse(wrong).success, false));
  }
});
