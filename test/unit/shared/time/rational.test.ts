import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  formatRational,
  ONE,
  parseRational,
  nearestRational,
  rational,
} from '@capfleet/shared/time/rational';

const LARGEST = 2 ** 26 - 1;

describe('a ratio', () => {
  for (const [text, numerator, denominator] of [
    ['1', 1, 1],
    ['2', 2, 1],
    ['2.5', 5, 2],
    ['0.37', 37, 100],
    ['.5', 1, 2],
    ['5.', 5, 1],
    ['1e-3', 1, 1000],
    ['1E+2', 100, 1],
    ['2.5e1', 25, 1],
    ['1/3', 1, 3],
    ['2/6', 1, 3],
    ['0.10', 1, 10],
    ['007', 7, 1],
    [`${LARGEST}`, LARGEST, 1],
    [`1/${LARGEST}`, 1, LARGEST],
    ['134217728/2147483648', 1, 16],
  ] as const) {
    test(`${text} is exactly ${numerator}/${denominator}`, () => {
      assert.deepEqual(parseRational(text), { numerator, denominator });
    });
  }

  test('is null where the text is no positive ratio', () => {
    for (const text of [
      '',
      '.',
      'e5',
      '.e5',
      '0',
      '0.0',
      '0e9',
      '-1',
      '+1',
      '1/0',
      '0/1',
      '0/0',
      '1/-3',
      '1 / 3',
      '1.5/2',
      '1/3/4',
      'NaN',
      'Infinity',
      '1e',
      '1e999',
      '2x',
      ' 2',
      '0x10',
    ])
      assert.equal(parseRational(text), null, text);
  });

  test('is null where a part needs more than 26 bits', () => {
    for (const text of [
      `${LARGEST + 1}`,
      `1/${LARGEST + 1}`,
      '1e99',
      '1e-99',
      '3.14159265358979',
      '67108863.5',
    ])
      assert.equal(parseRational(text), null, text);
  });

  test('is reduced, and refuses what is not positive', () => {
    assert.deepEqual(rational(6n, 4n), { numerator: 3, denominator: 2 });
    assert.deepEqual(rational(10n ** 40n, 10n ** 40n), ONE);
    for (const [n, d] of [
      [0n, 1n],
      [-1n, 1n],
      [1n, 0n],
      [1n, -1n],
    ] as const)
      assert.equal(rational(n, d), null);
  });

  test('is read back from its text, whatever the ratio', () => {
    const part = fc.integer({ min: 1, max: LARGEST });
    fc.assert(
      fc.property(part, part, (n, d) => {
        const ratio = rational(BigInt(n), BigInt(d));
        assert.ok(ratio);
        assert.deepEqual(parseRational(formatRational(ratio)), ratio);
        assert.deepEqual(parseRational(`${n}/${d}`), ratio);
        assert.equal(BigInt(ratio.numerator) * BigInt(d), BigInt(ratio.denominator) * BigInt(n));
      }),
    );
  });

  test('is written as a decimal where that is exact, else as a fraction', () => {
    assert.equal(formatRational({ numerator: 37, denominator: 100 }), '0.37');
    assert.equal(formatRational({ numerator: 1, denominator: 3 }), '1/3');
    assert.equal(formatRational({ numerator: 1, denominator: 10_000_000 }), '1e-7');
    assert.equal(formatRational(ONE), '1');
  });
});

describe('the nearest ratio', () => {
  test('is the ratio itself where it fits', () => {
    assert.deepEqual(nearestRational(37n, 100n), { numerator: 37, denominator: 100 });
    assert.deepEqual(nearestRational(3_600_000_000_000n, 1_800_000_000_000n), {
      numerator: 2,
      denominator: 1,
    });
  });

  test('is off by less than a nanosecond in a run of a day where it does not', () => {
    const day = 86_400_000_000_000n;
    for (const period of [day + 1n, 3n * day + 123_456_789_011n, 12_345_678_901n * 999n]) {
      const { numerator, denominator } = nearestRational(period, day)!;
      const played = (period * BigInt(denominator)) / BigInt(numerator);
      const error = played - day;
      assert.ok(error >= -1n && error <= 1n, `${error} ns for ${period}`);
    }
  });

  test('is none beyond what fits', () => {
    for (const [numerator, denominator] of [
      [0n, 1n],
      [1n, 0n],
      [2n ** 26n, 1n],
      [1n, 2n ** 27n],
    ] as const) {
      assert.equal(nearestRational(numerator, denominator), null);
    }
  });
});
