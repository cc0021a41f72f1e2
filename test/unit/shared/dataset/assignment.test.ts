import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { assign, type AssignmentRule } from '@capfleet/shared/dataset/assignment';
import { buildDataSet, type TimedFile } from '@capfleet/shared/dataset/dataset';
import { mappedFile } from '../../../support/file-maps.ts';

interface Given {
  name: string;
  begin: number;
  length?: number;
  packets?: number;
}

function timed(given: readonly Given[]): readonly TimedFile[] {
  return buildDataSet(
    given.map(({ name, begin, length = 5, packets = 10 }) =>
      mappedFile(name, [begin, begin + length], { packets }),
    ),
  ).files;
}

function names(shares: ReturnType<typeof assign>): Record<string, string[]> {
  return Object.fromEntries([...shares].map(([sensor, files]) => [sensor, files.map(({ map }) => map.name)]));
}

const everything: AssignmentRule = { by: 'pattern', patterns: [{ sensor: 's0', pattern: /./ }] };
const rules: AssignmentRule[] = [{ by: 'lane' }, { by: 'folder' }, { by: 'size' }, everything];

const anySet = fc.uniqueArray(
  fc.record({
    name: fc
      .tuple(fc.constantFrom('a/', 'b/', 'b/c/', ''), fc.nat(999))
      .map(([dir, id]) => `${dir}${id}.pcap`),
    begin: fc.nat(200),
    length: fc.nat(50),
    packets: fc.nat(1000),
  }),
  { selector: ({ name }) => name, maxLength: 40 },
);
const anySensors = fc
  .integer({ min: 1, max: 8 })
  .map((count) => Array.from({ length: count }, (_, i) => `s${i}`));

describe('an assignment by any rule', () => {
  for (const rule of rules) {
    test(`(${rule.by}) gives every file to exactly one sensor, in the order of the set`, () => {
      fc.assert(
        fc.property(anySet, anySensors, (given, sensors) => {
          const files = timed(given);
          const shares = assign(files, sensors, rule);
          assert.deepEqual([...shares.keys()], sensors);
          const all = [...shares.values()].flat();
          assert.equal(all.length, files.length);
          assert.equal(new Set(all).size, files.length);
          for (const share of shares.values()) {
            const places = share.map((file) => files.indexOf(file));
            assert.deepEqual(
              places,
              places.toSorted((a, b) => a - b),
            );
          }
        }),
      );
    });

    test(`(${rule.by}) is the same each time`, () => {
      fc.assert(
        fc.property(anySet, anySensors, (given, sensors) => {
          const once = names(assign(timed(given), sensors, rule));
          const again = names(assign(timed(given.toReversed()), sensors, rule));
          assert.deepEqual(again, once);
        }),
      );
    });
  }

  for (const [by, groupOf] of [
    ['lane', (file: TimedFile) => file.lane],
    ['folder', (file: TimedFile) => file.map.name.slice(0, file.map.name.lastIndexOf('/') + 1)],
  ] as const) {
    test(`(${by}) keeps a ${by} together`, () => {
      fc.assert(
        fc.property(anySet, anySensors, (given, sensors) => {
          const owners = new Map<unknown, string>();
          for (const [sensor, files] of assign(timed(given), sensors, { by })) {
            for (const file of files) {
              assert.equal(owners.get(groupOf(file)) ?? sensor, sensor);
              owners.set(groupOf(file), sensor);
            }
          }
        }),
      );
    });
  }

  test('(lane, folder, size) leaves no sensor with more than its fair part and one group', () => {
    fc.assert(
      fc.property(anySet, anySensors, (given, sensors) => {
        const files = timed(given);
        const loads = [...assign(files, sensors, { by: 'size' }).values()].map((share) =>
          share.reduce((sum, { map }) => sum + map.packets, 0),
        );
        const largest = files.reduce((most, { map }) => Math.max(most, map.packets), 0);
        const total = files.reduce((sum, { map }) => sum + map.packets, 0);
        assert.ok(Math.max(...loads) <= total / sensors.length + largest);
      }),
    );
  });
});

describe('an assignment by size', () => {
  test('gives the largest first, each to the sensor with least', () => {
    const files = timed([
      { name: 'a', begin: 0, packets: 5 },
      { name: 'b', begin: 1, packets: 9 },
      { name: 'c', begin: 2, packets: 4 },
      { name: 'd', begin: 3, packets: 7 },
    ]);
    assert.deepEqual(names(assign(files, ['x', 'y'], { by: 'size' })), { x: ['b', 'c'], y: ['a', 'd'] });
  });

  test('leaves sensors without a share, but names them', () => {
    const files = timed([{ name: 'only', begin: 0 }]);
    assert.deepEqual(names(assign(files, ['x', 'y'], { by: 'size' })), { x: ['only'], y: [] });
    assert.deepEqual(names(assign([], ['x'], { by: 'lane' })), { x: [] });
  });
});

describe('an assignment by pattern', () => {
  const files = timed([
    { name: 'dmz/1.pcap', begin: 0 },
    { name: 'dmz/2.pcap', begin: 10 },
    { name: 'lan/1.pcap', begin: 20 },
  ]);
  const by = (...patterns: [string, RegExp][]): AssignmentRule => ({
    by: 'pattern',
    patterns: patterns.map(([sensor, pattern]) => ({ sensor, pattern })),
  });

  test('goes by the first pattern that matches the path', () => {
    const rule = by(['x', /dmz\/2/], ['y', /dmz/], ['z', /dmz|lan/], ['x', /lan/]);
    assert.deepEqual(names(assign(files, ['x', 'y', 'z'], rule)), {
      x: ['dmz/2.pcap'],
      y: ['dmz/1.pcap'],
      z: ['lan/1.pcap'],
    });
  });

  test('sees the whole path, not the name below the folder alone', () => {
    assert.equal(assign(files, ['x'], by(['x', /^\/data\/(dmz|lan)\//])).get('x')?.length, 3);
  });

  test('is refused where a file matches none, with how many and the first', () => {
    assert.throws(() => assign(files, ['x', 'y'], by(['x', /lan/])), {
      code: 'assignment-uncovered',
      fields: { count: 2, path: '/data/dmz/1.pcap', sensor: 'x' },
    });
  });

  test('is refused where a pattern names a sensor that is not there', () => {
    assert.throws(() => assign(files, ['x'], by(['x', /./], ['ghost', /./])), {
      code: 'assignment-sensor',
      fields: { sensor: 'ghost' },
    });
  });
});
