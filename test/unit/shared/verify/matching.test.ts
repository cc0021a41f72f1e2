// Which received packet is taken for which sent one, where several have the same bytes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Matching, NONE } from '@capfleet/shared/verify/matching';

type Packet = readonly [digest: number, time: number];

function pair(sent: readonly Packet[], received: readonly Packet[]): number[] {
  const matching = new Matching();
  for (const [digest] of sent) matching.add(digest);
  const known = received.filter(([digest]) => matching.receive(digest));
  return [
    ...matching.pair(
      Float64Array.from(sent, ([, time]) => time),
      Float64Array.from(known, ([, time]) => time),
    ),
  ];
}

/** Three loops of the same five packets, a second apart. */
const loops: Packet[] = Array.from({ length: 15 }, (_, index) => [1 + (index % 5), index * 1000]);
const FAR_CLOCK = 5_000_000;

function arrivals(of: readonly Packet[]): Packet[] {
  return of.map(([digest, time]) => [digest, time + FAR_CLOCK]);
}

describe('matching', () => {
  test('takes equal packets in order where all arrived', () => {
    assert.deepEqual(
      pair(loops, arrivals(loops)),
      loops.map((_, index) => index),
    );
  });

  test('one lost packet does not shift its equals in later loops', () => {
    for (const lost of loops.keys()) {
      const left = [...loops.keys()].filter((index) => index !== lost);
      assert.deepEqual(pair(loops, arrivals(left.flatMap((index) => loops.slice(index, index + 1)))), left);
    }
  });

  test('a loop that is lost as a whole is the one that is missing', () => {
    const left = [0, 1, 2, 3, 4, 10, 11, 12, 13, 14];
    assert.deepEqual(pair(loops, arrivals(left.flatMap((index) => loops.slice(index, index + 1)))), left);
  });

  test('a packet that came twice does not take the place of its equal in the next loop', () => {
    const twice = arrivals(loops.slice(0, 10));
    twice.splice(3, 0, [3, FAR_CLOCK + 2001]);
    assert.deepEqual(pair(loops.slice(0, 10), twice), [0, 1, 2, NONE, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('a slow clock does not pull equals apart', () => {
    const slow = loops
      .filter((_, index) => index !== 6)
      .map(([digest, time]): Packet => [digest, time * 1.2]);
    assert.deepEqual(pair(loops, slow), [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14]);
  });

  test('equals that are due at one instant are looked past', () => {
    const burst: Packet[] = [...Array.from({ length: 6 }, (): Packet => [7, 0]), [8, 500], [7, 1000]];
    const received: Packet[] = [
      [7, 0],
      [8, 500],
      [7, 1000],
    ];
    assert.deepEqual(pair(burst, received), [0, 6, 7]);
  });

  test('without times in the plan, places decide', () => {
    const atOnce = loops.map(([digest]): Packet => [digest, 0]);
    const left = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    const received = left.map((index, at): Packet => [1 + (index % 5), at * 3]);
    assert.deepEqual(pair(atOnce, received), left);
  });

  test('matches as many of each kind as both sides have, in order within the kind', () => {
    const kinds = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.nat(1000)), { maxLength: 400 });
    fc.assert(
      fc.property(kinds, kinds, (sentKinds, receivedKinds) => {
        const inTime = (packets: readonly Packet[]): Packet[] =>
          packets.map(([kind], index) => [kind * 2 ** 33, index * 10]);
        const [sent, received] = [inTime(sentKinds), inTime(receivedKinds)];
        const partners = pair(sent, received);
        const known = received.filter(([digest]) => sent.some(([other]) => other === digest));
        assert.equal(partners.length, known.length);
        const last = new Map<number, number>();
        const matched = new Map<number, number>();
        partners.forEach((partner, index) => {
          if (partner === NONE) return;
          const digest = known[index]?.[0] ?? 0;
          assert.equal(sent[partner]?.[0], digest);
          assert.ok(partner > (last.get(digest) ?? -1));
          last.set(digest, partner);
          matched.set(digest, (matched.get(digest) ?? 0) + 1);
        });
        const count = (of: readonly Packet[], digest: number): number =>
          of.filter(([other]) => other === digest).length;
        for (const [digest] of sent)
          assert.equal(matched.get(digest) ?? 0, Math.min(count(sent, digest), count(received, digest)));
      }),
      { numRuns: 200 },
    );
  });

  test('holds many different packets', () => {
    const packets = Array.from({ length: 100_000 }, (_, index): Packet => [index * 7919 + 1, index]);
    assert.deepEqual(
      pair(packets, [...packets].reverse()),
      packets.map((_, index) => 99_999 - index),
    );
  });
});
