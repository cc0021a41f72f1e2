import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatCount, formatTable } from '@capfleet/cli/show/text';

test('counts are grouped by thousands, and their unit has the right number', () => {
  assert.equal(formatCount(1_234_567), '1,234,567');
  assert.equal(formatCount(1, 'file'), '1 file');
  assert.equal(formatCount(0, 'file'), '0 files');
  assert.equal(formatCount(2000, 'packet'), '2,000 packets');
});

test('bytes are told in the largest unit that leaves a whole part', () => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [1024 ** 2, '1.0 MiB'],
    [4 * 1024 ** 4, '4.0 TiB'],
    [1024 ** 6, '1024.0 PiB'],
  ] as const) {
    assert.equal(formatBytes(bytes), text);
  }
});

test('a table has columns two spaces apart, numbers to the right, no spaces at the end', () => {
  assert.equal(formatTable([]), '');
  assert.equal(
    formatTable(
      [
        ['name', 'packets', 'x'],
        ['a', '1', ''],
        ['longer', '1,000'],
      ],
      [1],
    ),
    'name    packets  x\na             1\nlonger    1,000\n',
  );
});
