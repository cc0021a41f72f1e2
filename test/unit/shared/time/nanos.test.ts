import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  formatDuration,
  formatGoDuration,
  formatInstant,
  fromSecondsAndNanos,
  parseDuration,
  parseInstant,
  toSecondsAndNanos,
} from '@capfleet/shared/time/nanos';

const S = 1_000_000_000n;
const YEAR_0 = -62_167_219_200n * S;
const YEAR_10000 = 253_402_300_800n * S;

const anyInstant = fc.bigInt({ min: YEAR_0, max: YEAR_10000 - 1n });

describe('seconds and nanoseconds', () => {
  test('split towards minus infinity and join again', () => {
    assert.deepEqual(toSecondsAndNanos(-1n), { seconds: -1, nanos: 999_999_999 });
    assert.deepEqual(toSecondsAndNanos(-S), { seconds: -1, nanos: 0 });
    assert.deepEqual(toSecondsAndNanos(S + 1n), { seconds: 1, nanos: 1 });
    fc.assert(
      fc.property(anyInstant, (time) => {
        const { seconds, nanos } = toSecondsAndNanos(time);
        assert.ok(nanos >= 0 && nanos < 1e9);
        assert.equal(fromSecondsAndNanos(seconds, nanos), time);
      }),
    );
  });
});

describe('an instant as text', () => {
  const known: [bigint, string][] = [
    [0n, '1970-01-01T00:00:00.000000000Z'],
    [1n, '1970-01-01T00:00:00.000000001Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [-86_400n * S - 500_000_000n, '1969-12-30T23:59:59.500000000Z'],
    [951_782_400n * S, '2000-02-29T00:00:00.000000000Z'],
    [1_700_000_000_123_456_789n, '2023-11-14T22:13:20.123456789Z'],
    [4_294_967_295_999_999_999n, '2106-02-07T06:28:15.999999999Z'],
    [YEAR_0, '0000-01-01T00:00:00.000000000Z'],
    [YEAR_10000 - 1n, '9999-12-31T23:59:59.999999999Z'],
  ];
  for (const [time, text] of known) {
    test(`${String(time)} ns is ${text}, and back`, () => {
      assert.equal(formatInstant(time), text);
      assert.equal(parseInstant(text), time);
    });
  }

  test('is read back to the nanosecond, whatever the instant', () => {
    fc.assert(fc.property(anyInstant, (time) => assert.equal(parseInstant(formatInstant(time)), time)));
  });

  test('sorts as the instants do', () => {
    fc.assert(
      fc.property(anyInstant, anyInstant, (a, b) => {
        assert.equal(formatInstant(a) < formatInstant(b), a < b);
      }),
    );
  });

  test('is refused outside the years 0 to 9999', () => {
    assert.throws(() => formatInstant(YEAR_0 - 1n), RangeError);
    assert.throws(() => formatInstant(YEAR_10000), RangeError);
    assert.throws(() => formatInstant(10n ** 30n), RangeError);
  });

  test('is read with any zone, any number of digits up to nine, and a comma', () => {
    const noon = 1_577_880_000n * S;
    for (const [text, time] of [
      ['2020-01-01T12:00:00Z', noon],
      ['2020-01-01t12:00:00z', noon],
      ['2020-01-01 12:00:00Z', noon],
      ['2020-01-01T12:00:00.5Z', noon + 500_000_000n],
      ['2020-01-01T12:00:00,000000001Z', noon + 1n],
      ['2020-01-01T13:00:00+01:00', noon],
      ['2020-01-01T13:00:00+0100', noon],
      ['2020-01-01T06:30:00.25-05:30', noon + 250_000_000n],
      ['1969-12-31T23:59:59.5Z', -500_000_000n],
      ['1970-01-01T00:59:59.999999999+01:00', -1n],
    ] as const) {
      assert.equal(parseInstant(text), time, text);
    }
  });

  test('is null where the text is none', () => {
    for (const text of [
      '',
      'now',
      '2020-01-01',
      '2020-01-01T12:00:00',
      '2020-01-01T12:00Z',
      '2020-13-01T00:00:00Z',
      '2020-01-32T00:00:00Z',
      '2020-01-01T25:00:00Z',
      '2020-01-01T00:60:00Z',
      '2020-01-01T00:00:00.Z',
      '2020-01-01T00:00:00.0000000001Z',
      '2020-01-01T00:00:00+1:00',
      ' 2020-01-01T00:00:00Z',
      '2020-01-01T00:00:00Zx',
      '1577880000',
    ]) {
      assert.equal(parseInstant(text), null, text);
    }
  });

  test('is null on a day that its month does not have', () => {
    for (const text of ['2021-02-29T00:00:00Z', '2020-02-30T00:00:00Z', '2020-04-31T00:00:00Z'])
      assert.equal(parseInstant(text), null, text);
  });
});

describe('a duration as Go prints it', () => {
  // Values of Go's own time.Duration.String.
  const known: [bigint, string][] = [
    [0n, '0s'],
    [1n, '1ns'],
    [999n, '999ns'],
    [1000n, '1µs'],
    [1100n, '1.1µs'],
    [1500n, '1.5µs'],
    [999_999n, '999.999µs'],
    [2_000_000n, '2ms'],
    [2_200_000n, '2.2ms'],
    [1_000_001n, '1.000001ms'],
    [S, '1s'],
    [1_000_000_001n, '1.000000001s'],
    [3_300_000_000n, '3.3s'],
    [59_999_999_999n, '59.999999999s'],
    [60n * S, '1m0s'],
    [301n * S, '5m1s'],
    [300_001_000_000n, '5m0.001s'],
    [480_000_000_001n, '8m0.000000001s'],
    [3600n * S, '1h0m0s'],
    [18_367_001_000_000n, '5h6m7.001s'],
    [2_325_430_706_000n, '38m45.430706s'],
    [9_145_440_610n * S, '2540400h10m10s'],
    [9_223_372_036_854_775_807n, '2562047h47m16.854775807s'],
    [-1n, '-1ns'],
    [-1500n, '-1.5µs'],
    [-3600n * S, '-1h0m0s'],
    [-9_223_372_036_854_775_808n, '-2562047h47m16.854775808s'],
  ];
  for (const [duration, text] of known) {
    test(`${String(duration)} ns is ${text}`, () => assert.equal(formatGoDuration(duration), text));
  }

  test('is read back by parseDuration where it is positive', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (duration) => {
        assert.equal(parseDuration(formatGoDuration(duration)), duration);
      }),
    );
  });
});

describe('a duration as a person types it', () => {
  for (const [text, duration] of [
    ['0s', 0n],
    ['1ns', 1n],
    ['250us', 250_000n],
    ['250µs', 250_000n],
    ['250ms', 250_000_000n],
    ['1.5s', 1_500_000_000n],
    ['0.000000001s', 1n],
    ['1h30m', 5400n * S],
    ['1m30.25s', 90n * S + 250_000_000n],
    ['2d', 172_800n * S],
    ['0.5d', 43_200n * S],
  ] as const) {
    test(`${text} is ${String(duration)} ns`, () => assert.equal(parseDuration(text), duration));
  }

  test('is null where the text is none', () => {
    for (const text of [
      '',
      '5',
      '1.s',
      '.5s',
      '-5s',
      '5 s',
      '5sec',
      '5S',
      '1h30',
      'h',
      '1.1234567891s',
      '1e3s',
    ])
      assert.equal(parseDuration(text), null, text);
  });
});

describe('a duration for people', () => {
  for (const [duration, text] of [
    [0n, '0 ns'],
    [999n, '999 ns'],
    [1234n, '1.23 µs'],
    [42_000n, '42 µs'],
    [1_230_000n, '1.23 ms'],
    [-1_230_000n, '−1.23 ms'],
    [119_000_000_000n, '119 s'],
    [120n * S, '2 min'],
    [7500n * S, '2 h 05 min'],
  ] as const) {
    test(`${String(duration)} ns is ${text}`, () => assert.equal(formatDuration(duration), text));
  }

  test('never shows 1000 of a unit for what rounds up to the next', () => {
    for (const duration of [999_999n, 999_999_999n]) assert.doesNotMatch(formatDuration(duration), /^1000 /);
  });
});
