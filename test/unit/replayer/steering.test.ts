// Plays on hosts whose clocks run at rates of their own, on a simulated clock: an hour of each, steered every second by
// measurements with the noise of a network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Steering } from '@capfleet/replayer/steering';
import { ClockLine } from '@capfleet/shared/time/clock-line';
import { estimateOffset, type ClockProbe } from '@capfleet/shared/time/clock-offset';
import { createPrng } from '../../support/prng.ts';

const SECOND = 1_000_000_000n;
const OFFSET = 1_700_000_000_000_000_000n;
const START = 30n * SECOND;

interface Played {
  /** Of each packet, one every 100 ms: reference clock − when it should have gone out, ns. */
  readonly errors: readonly number[];
  /** Known bound at that time, ns. */
  readonly bounds: readonly number[];
  /** How often due times were given another course. */
  readonly courses: number;
}

/** @param offsetAt reference − monotonic, in truth, at a local instant */
function play(seconds: number, offsetAt: (at: bigint) => bigint, seed: number): Played {
  const prng = createPrng(seed);
  const line = new ClockLine();
  const delay = (): bigint => 25_000n + BigInt(Math.round((prng.uint32() / 2 ** 32) ** 6 * 2e6));
  const measure = (at: bigint): void => {
    const probes: ClockProbe[] = [];
    let now = at;
    for (let count = 0; count < 8; count += 1) {
      const asked = now + delay();
      const received = asked + delay();
      probes.push({ sent: now, reference: ((asked + offsetAt(asked)) / 1000n) * 1000n, received });
      now = received;
    }
    line.add(estimateOffset(probes, 1000n));
  };
  for (let second = 0n; second < START; second += SECOND) measure(second);
  const { offset } = line.offsetAt(START);
  const t0 = START + offset;
  const steering = new Steering(line, START, offset);
  const errors: number[] = [];
  const bounds: number[] = [];
  let courses = 0;
  for (let second = 0; second < seconds; second += 1) {
    const now = START + BigInt(second) * SECOND;
    measure(now);
    if (steering.next(now)) courses += 1;
    for (let tenth = 1n; tenth <= 10n; tenth += 1n) {
      const due = BigInt(second) * SECOND + (tenth * SECOND) / 10n;
      const local = START + due + steering.shiftAt(START + due);
      errors.push(Number(local + offsetAt(local) - (t0 + due)));
      bounds.push(Number(steering.boundAt(START + due)));
    }
  }
  return { errors, bounds, courses };
}

function assertWithin({ errors, bounds }: Played, slack: number): void {
  errors.forEach((error, index) => {
    const bound = bounds[index]! + slack;
    assert.ok(
      Math.abs(error) <= bound,
      `packet ${String(index)}: ${String(error)} ns, bound ${String(bound)}`,
    );
  });
}

/** Of neighbouring packets, 100 ms apart: how much their distance on the reference clock is off. */
function largestJump({ errors }: Pick<Played, 'errors'>): number {
  return errors.slice(1).reduce((most, error, index) => Math.max(most, Math.abs(error - errors[index]!)), 0);
}

test('two hosts 30 ppm apart stay together for an hour within what is printed, without a jump', () => {
  const plays = [15_000n, -15_000n].map((ppb, seed) =>
    play(3600, (at) => OFFSET + (at * ppb) / 1_000_000_000n, seed),
  );
  for (const played of plays) {
    assertWithin(played, 0);
    assert.ok(largestJump(played) < 5000, String(largestJump(played)));
  }
  // Without steering they would be 108 ms apart at the end.
  const apart = Math.abs(plays[0]!.errors.at(-1)! - plays[1]!.errors.at(-1)!);
  assert.ok(apart < 100_000, String(apart));
});

test('a rate that wanders with the temperature is followed', () => {
  // 5 ppm up and down, once in half an hour.
  const wander = (at: bigint): bigint =>
    OFFSET +
    BigInt(Math.round((5000 * 1800 * Math.sin((Number(at) / 1800e9) * 2 * Math.PI)) / (2 * Math.PI)));
  const played = play(3600, wander, 7);
  // What is printed takes the rate for even; it changes by 1 ppm in a minute.
  assertWithin(played, 10_000);
  assert.ok(largestJump(played) < 5000, String(largestJump(played)));
});

test('a reference clock that is set during the play changes nothing', () => {
  const drift = (at: bigint): bigint => OFFSET + (at * 10_000n) / 1_000_000_000n;
  const played = play(600, drift, 3);
  const stepped = play(600, (at) => drift(at) + (at > 300n * SECOND ? 2n * SECOND : 0n), 3);
  const differences = stepped.errors.map((error, index) => error - played.errors[index]!);
  // On the clock that was set the play is late by that from then on; on the wire it goes on evenly.
  for (const [index, difference] of differences.entries()) {
    const set = (index + 1) / 10 + 30 > 300 ? 2e9 : 0;
    assert.ok(Math.abs(difference - set) < 300_000, `packet ${String(index)}: ${String(difference)}`);
  }
});

test('where the clocks do not drift, nothing is moved at all', () => {
  const { courses, errors } = play(600, () => OFFSET, 5);
  assert.equal(courses, 0);
  assert.equal(largestJump({ errors }), 0);
});
