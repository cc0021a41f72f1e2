import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StampClock } from '@capfleet/shared/capture/pcapng-time';

const SECOND = 1_000_000_000n;
const LIMIT = BigInt(Number.MAX_SAFE_INTEGER);

/** By bigint arithmetic: ns since the epoch, cut; null where the seconds are no safe integer. */
function expected(resolution: number, offset: bigint, stamp: bigint): bigint | null {
  const exponent = BigInt(resolution & 0x7f);
  const unit = resolution >= 0x80 ? 2n ** exponent : 10n ** exponent;
  const nanos = (stamp * SECOND) / unit;
  const seconds = nanos / SECOND + offset;
  if (nanos / SECOND > LIMIT || seconds > LIMIT || seconds < -LIMIT) return null;
  return nanos + offset * SECOND;
}

function convert(resolution: number, offset: bigint, stamp: bigint): bigint | null {
  const clock = new StampClock(resolution, offset);
  if (!clock.convert(Number(stamp >> 32n), Number(stamp & 0xffff_ffffn))) return null;
  assert.ok(clock.nanos >= 0 && clock.nanos < 1e9);
  return BigInt(clock.seconds) * SECOND + BigInt(clock.nanos);
}

describe('the clock of an interface', () => {
  const stamps = [0n, 1n, 999_999n, 1_000_000n, 0xffff_ffffn, 2n ** 32n, 2n ** 48n - 1n, 2n ** 53n + 1n];
  for (const base of [0, 0x80]) {
    test(`is exact for all 128 exponents of ${base === 0 ? 'ten' : 'two'}`, () => {
      for (let exponent = 0; exponent < 128; exponent += 1) {
        for (const stamp of [...stamps, 1_700_000_000_123_456_789n, 2n ** 63n, 2n ** 64n - 1n]) {
          for (const offset of [0n, 3600n, -1n, -(2n ** 40n)]) {
            const resolution = base + exponent;
            assert.equal(
              convert(resolution, offset, stamp),
              expected(resolution, offset, stamp),
              `resolution ${resolution}, offset ${offset}, stamp ${stamp}`,
            );
          }
        }
      }
    });
  }

  test('is exact for any unit, offset and stamp', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(6, 9, 3, 0, 0x80 + 8, 0x80 + 32), fc.integer({ min: 0, max: 255 })),
        fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (resolution, offset, stamp) => {
          // An offset beyond what a plain number holds is out of range whatever the stamp.
          if (offset > LIMIT || offset < -LIMIT) offset %= 2n ** 40n;
          assert.equal(convert(resolution, offset, stamp), expected(resolution, offset, stamp));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('leaves the instant as it was where a stamp is out of range', () => {
    const clock = new StampClock(0);
    assert.equal(clock.convert(0, 5), true);
    assert.equal(clock.convert(0xffff_ffff, 0xffff_ffff), false);
    assert.deepEqual([clock.seconds, clock.nanos], [5, 0]);
    assert.equal(new StampClock(6, 2n ** 63n - 1n).convert(1, 1), false);
  });

  test('names its unit', () => {
    assert.equal(new StampClock().unit, 'us');
    assert.equal(new StampClock(9).unit, 'ns');
    assert.equal(new StampClock(3).unit, '10^-3');
    assert.equal(new StampClock(0x80).unit, '2^-0');
    assert.equal(new StampClock(0xff).unit, '2^-127');
  });
});
