import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { whatIsAhead } from '@capfleet/replayer/what-is-ahead';
import { planFile, plainTiming, sensorPlan } from '../../support/play-results.ts';

/** Three files of 100 ns each, one after another, and one that lasts through all. */
const files = [
  [0, 100],
  [100, 200],
  [200, 300],
  [0, 300],
].map(([earliest, latest], index) =>
  planFile({ path: `/${index}`, earliest: String(earliest), latest: String(latest) }),
);

function ahead(place: number, change: Partial<RunTimeline> = {}, of = files): [number, string[]] {
  const timeline = { base: '0', period: '300', speed: '1/1', loops: 1, ...plainTiming, ...change };
  const { loop, files: left } = whatIsAhead(sensorPlan('one', { files: of, timeline }), BigInt(place));
  return [loop, left.map(({ path }) => path.slice(1))];
}

describe('what is ahead of a sensor that joins', () => {
  for (const [what, found, expected] of [
    ['all at the start', ahead(0), [0, ['0', '1', '2', '3']]],
    ['what is not over', ahead(101), [0, ['1', '2', '3']]],
    ['also what ends there', ahead(200), [0, ['1', '2', '3']]],
    ['less at twice the speed', ahead(101, { speed: '2/1' }), [0, ['2', '3']]],
    ['nothing behind the end', ahead(301), [0, []]],
    ['another loop', ahead(450, { loops: 3 }), [1, ['1', '2', '3']]],
    ['one of loops without end', ahead(300_050, { loops: 0 }), [1000, ['0', '1', '2', '3']]],
    ['with pauses between loops', ahead(350, { loops: 3, loopDelay: '100' }), [1, ['0', '1', '2', '3']]],
    ['the next loop, where a share is over', ahead(150, { loops: 2 }, files.slice(0, 1)), [1, ['0']]],
    [
      'all at a rate',
      ahead(250, { pace: { kind: 'packets', perSecond: '10/1' } }),
      [0, ['0', '1', '2', '3']],
    ],
    ['all where gaps were cut', ahead(250, { maxGap: '5' }), [0, ['0', '1', '2', '3']]],
    ['all where packets are counted', ahead(250, { limit: 5 }), [0, ['0', '1', '2', '3']]],
  ] as const) {
    test(`is ${what}`, () => {
      assert.deepEqual(found, expected);
    });
  }
});
