// The lease of a play, on a made clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepLease, LEASE } from '@capfleet/replayer/lease';

test('is renewed as long as nothing was away, and not by itself after that', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let now = 0n;
  let until = 0n;
  let lapses = 0;
  const pass = (milliseconds: number): void => {
    now += BigInt(milliseconds) * 1_000_000n;
    t.mock.timers.tick(250);
  };
  const lease = keepLease({
    now: () => now,
    grant: (instant) => (until = instant),
    onLapse: () => (lapses += 1),
  });
  assert.equal(until, LEASE);
  for (let tick = 0; tick < 100; tick += 1) {
    pass(250);
    assert.equal(until, now + LEASE);
  }
  // A thread that was busy for long.
  pass(2999);
  assert.deepEqual([until, lapses], [now + LEASE, 0]);
  const before = until;
  pass(3000);
  assert.deepEqual([until, lapses], [before, 1]);
  pass(250);
  pass(10_000);
  assert.deepEqual([until, lapses], [before, 1]);
  lease.renew(now);
  assert.equal(until, now + LEASE);
  pass(250);
  assert.deepEqual([until, lapses], [now + LEASE, 1]);
  // An answer that took too long is asked for again.
  lease.renew(now - LEASE);
  assert.equal(until, now);
  pass(250);
  assert.deepEqual([until, lapses], [now - 250_000_000n, 2]);
  lease.end();
  pass(250);
  assert.equal(lapses, 2);
});
