// What makes two packets the same one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDigest } from '@capfleet/shared/verify/digest';

const frame = Buffer.from(Array.from({ length: 200 }, (_, index) => index % 251));

test('bytes and length make a packet, where it lies does not', async () => {
  const digest = await createDigest();
  const elsewhere = Buffer.concat([Buffer.alloc(7, 9), frame]);
  assert.equal(digest(frame, 0, 200, 200), digest(elsewhere, 7, 200, 200));
  assert.notEqual(digest(frame, 0, 200, 200), digest(frame, 0, 199, 199));
  assert.notEqual(digest(frame, 0, 200, 200), digest(frame, 1, 199, 200));
});

test('zeros up to 60 bytes are what an interface adds to a short frame', async () => {
  const digest = await createDigest();
  const padded = Buffer.concat([frame.subarray(0, 42), Buffer.alloc(18)]);
  assert.equal(digest(frame, 0, 42, 42), digest(padded, 0, 60, 60));
  assert.notEqual(digest(frame, 0, 42, 42), digest(frame, 0, 60, 60));
});

test('of a far end that keeps 96 bytes, those and the length on the wire are compared', async () => {
  const digest = await createDigest(96);
  assert.equal(digest(frame, 0, 200, 200), digest(frame, 0, 96, 200));
  assert.notEqual(digest(frame, 0, 96, 200), digest(frame, 0, 96, 199));
  const shortest = await createDigest(20);
  assert.equal(shortest(frame, 0, 42, 42), shortest(frame, 0, 20, 42));
});
