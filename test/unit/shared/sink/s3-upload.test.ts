import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_PARTS, partBytes } from '@capfleet/shared/sink/s3-upload';

test('the parts that S3 takes hold the largest object that S3 takes, and each is one that it takes', () => {
  const sizes = Array.from({ length: MOST_PARTS }, (_, index) => partBytes(index + 1));
  assert.equal(MOST_PARTS, 10_000);
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) >= 5 * 1024 ** 4);
  assert.ok(Math.min(...sizes) >= 5 * 1024 ** 2 && Math.max(...sizes) <= 5 * 1024 ** 3);
  assert.deepEqual(new Set(sizes.slice(0, 1000)).size, 1, 'and those of most objects are of one size');
});
