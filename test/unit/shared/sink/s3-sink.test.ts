import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partBytes } from '@capfleet/shared/sink/s3-sink';

const PARTS = 10_000;
const TEBIBYTE = 1024 ** 4;

test('the parts that S3 takes hold an object of any size that is known, and half a tebibyte where it is not', () => {
  for (const size of [0, 1, 8 * 1024 ** 2, 80 * 1024 ** 3, 5 * TEBIBYTE]) {
    const part = partBytes(size);
    assert.ok(part * PARTS >= size && part >= 5 * 1024 ** 2 && part <= 5 * 1024 ** 3, String(size));
  }
  assert.ok(partBytes(undefined) * PARTS >= TEBIBYTE / 2);
});
