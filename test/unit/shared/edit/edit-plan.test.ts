import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changesNothing, editPlanSchema, mismatch, noEdits } from '@capfleet/shared/edit/edit-plan';
import { parsePrefix } from '@capfleet/shared/edit/address';

describe('a prefix', () => {
  test('is read with or without its length; what is behind it does not count', () => {
    assert.deepEqual(parsePrefix('10.1.2.3/12'), { bytes: [10, 0, 0, 0], bits: 12 });
    assert.deepEqual(parsePrefix('10.1.2.3'), { bytes: [10, 1, 2, 3], bits: 32 });
    assert.deepEqual(parsePrefix('0.0.0.0/0'), { bytes: [0, 0, 0, 0], bits: 0 });
    const { bytes, bits } = parsePrefix('fd00:ffff::1/20') ?? { bytes: [], bits: 0 };
    assert.deepEqual([bytes.slice(0, 4), bits, bytes.length], [[0xfd, 0, 0xf0, 0], 20, 16]);
    for (const text of [
      '',
      '10',
      '10.0.0',
      '010.0.0.1',
      '10.0.0.0/33',
      '::/129',
      'fe80::1%eth0',
      '1.2.3.4/',
      '/8',
    ])
      assert.equal(parsePrefix(text), null, text);
  });

  test('is mapped onto one of its length and family only', () => {
    assert.equal(mismatch('10.0.0.0/8', '11.0.0.0/8'), null);
    assert.equal(mismatch('10.0.0.0/8', '11.0.0.0/16'), '/8 and /16 are of two lengths');
    assert.equal(mismatch('10.0.0.0/8', 'fd00::/8'), 'one is IPv4, the other IPv6');
    assert.equal(mismatch('10.0.0.0/8', 'x'), 'x is no prefix');
  });
});

describe('a plan of edits', () => {
  test('that changes nothing is known', () => {
    assert.ok(changesNothing(noEdits));
    assert.ok(!changesNothing({ ...noEdits, fixChecksums: true }));
    assert.ok(!changesNothing({ ...noEdits, ipMap: [{ from: '10.0.0.0/8', to: '11.0.0.0/8' }] }));
    assert.ok(!changesNothing({ ...noEdits, ttl: { kind: 'set', value: 1 } }));
  });

  test('that does not fit is refused by its schema', () => {
    assert.ok(editPlanSchema.safeParse(noEdits).success);
    for (const wrong of [
      { ipMap: [{ from: '10.0.0.0/8', to: '11.0.0.0/9' }] },
      { ipMap: [{ from: 'x', to: 'y' }] },
      { macSource: '1:2:3:4:5:6' },
      { vlanAdd: { id: 5000, priority: 0, type: '802.1Q' } },
      { ttl: { kind: 'set', value: 0 } },
      { portMap: [{ from: 0, through: 70_000, to: 1 }] },
      {
        macMap: Array.from({ length: 2000 }, () => ({ from: '02:00:00:00:00:01', to: '02:00:00:00:00:01' })),
      },
    ])
      assert.ok(
        !editPlanSchema.safeParse({ ...noEdits, ...wrong }).success,
        JSON.stringify(wrong).slice(0, 80),
      );
  });
});
