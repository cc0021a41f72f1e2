import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  parseAssignments,
  parseCount,
  parseLoops,
  parsePattern,
  parsePositive,
  parsePositiveSpan,
  parseRedis,
  parseSensorName,
  parseSensorNames,
  parseSpan,
  parseSpeed,
} from '@capfleet/cli/settings';

/** Parsers with what they take, and what they refuse in words that hold the last part. */
const CASES: [string, (text: string) => unknown, [string, unknown][], [string, RegExp][]][] = [
  [
    'a count',
    parseCount,
    [
      ['0', 0],
      ['007', 7],
      ['999999999', 999_999_999],
    ],
    [
      ['', /whole number/],
      ['-1', /whole number/],
      ['1.5', /"1\.5"/],
      ['1e3', /whole number/],
      ['1000000000', /whole number/],
      [' 1', /whole number/],
    ],
  ],
  [
    'a count from one',
    parsePositive,
    [['1', 1]],
    [
      ['0', /at least 1/],
      ['x', /whole number/],
    ],
  ],
  ['a pattern', (text) => parsePattern(text).source, [['a+$', 'a+$']], [['(', /missing closing \)/]]],
  [
    'a speed',
    parseSpeed,
    [
      ['2', { numerator: 2, denominator: 1 }],
      ['0.37', { numerator: 37, denominator: 100 }],
      ['1/3', { numerator: 1, denominator: 3 }],
    ],
    [
      ['0', /positive ratio/],
      ['-1', /positive ratio/],
      ['fast', /"fast"/],
      ['3.14159265358979', /positive ratio/],
      ['1/4503600', /too slow/],
    ],
  ],
  [
    'a span',
    parseSpan,
    [
      ['0s', 0n],
      ['1h30m', 5_400_000_000_000n],
    ],
    [
      ['5', /"5"/],
      ['36501d', /too long; at most 36500d/],
      ['9'.repeat(30) + 'h', /too long/],
      ['-5s', /duration/],
      ['', /duration/],
    ],
  ],
  ['a span above zero', parsePositiveSpan, [['1ns', 1n]], [['0s', /longer than 0/]]],
  [
    'a number of loops, 0 and less being without end',
    parseLoops,
    [
      ['3', 3],
      ['0', 0],
      ['-1', 0],
      ['-12', 0],
    ],
    [
      ['x', /whole number/],
      ['1.5', /whole number/],
      ['-', /whole number/],
    ],
  ],
  [
    'a sensor name',
    parseSensorName,
    [
      ['dmz-1.lab_2', 'dmz-1.lab_2'],
      ['a'.repeat(64), 'a'.repeat(64)],
    ],
    [
      ['', /sensor name/],
      ['a b', /"a b"/],
      ['a/b', /sensor name/],
      ['a'.repeat(65), /at most 64/],
    ],
  ],
  [
    'sensor names',
    parseSensorNames,
    [
      ['a', ['a']],
      ['a, b,c', ['a', 'b', 'c']],
    ],
    [
      ['a,a', /named twice/],
      ['a,,b', /sensor name/],
      ['', /sensor name/],
    ],
  ],
  [
    'a Redis',
    parseRedis,
    [
      ['redis://host:6379', 'redis://host:6379'],
      ['rediss://host', 'rediss://host'],
      ['unix:/run/redis.sock', 'unix:/run/redis.sock'],
    ],
    [
      ['host:6379', /Redis URL/],
      ['http://host', /Redis URL/],
      ['', /Redis URL/],
    ],
  ],
];

for (const [what, parse, good, bad] of CASES) {
  describe(what, () => {
    for (const [text, value] of good) {
      test(`may be "${text.slice(0, 30)}"`, () => assert.deepEqual(parse(text), value));
    }
    for (const [text, reason] of bad) {
      test(`may not be "${text.slice(0, 30)}"`, () => {
        assert.throws(
          () => parse(text),
          (thrown: Error) => {
            assert.equal((thrown as Error & { code?: string }).code, 'commander.invalidArgument');
            assert.match(thrown.message, reason);
            return true;
          },
        );
      });
    }
  });
}

describe('assignments', () => {
  test('gather in the order given, the first equals sign parting sensor and pattern', () => {
    const first = parseAssignments('one=^/a=b', undefined);
    assert.deepEqual(
      parseAssignments('two=.', first).map(({ sensor, pattern }) => [sensor, pattern.source]),
      [
        ['one', '^/a=b'],
        ['two', '.'],
      ],
    );
    assert.equal(first.length, 1);
  });

  test('need a sensor, an equals sign and a pattern', () => {
    for (const text of ['one', '=x', '', 'a b=x', 'one=(']) {
      assert.throws(() => parseAssignments(text, undefined), { code: 'commander.invalidArgument' }, text);
    }
  });
});
