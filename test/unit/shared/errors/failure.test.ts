import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorTable, type ErrorCode } from '@capfleet/shared/errors/codes';
import { exitCode } from '@capfleet/shared/errors/exit-codes';
import { asFailure, errnoOf, Failure, reasonOf } from '@capfleet/shared/errors/failure';

describe('a failure', () => {
  test('fills its message and hint from its fields', () => {
    const failure = new Failure('folder-missing', { path: '/a/{b}', setting: '--dir-src' });
    assert.equal(failure.message, 'no such folder: /a/{b}');
    assert.equal(failure.hint, 'check the path given with --dir-src');
    assert.deepEqual(failure.toRecord(), {
      code: 'folder-missing',
      message: failure.message,
      hint: failure.hint,
    });
  });

  test('fills in numbers, zero among them, and leaves a field that is not given as it stands', () => {
    assert.match(new Failure('capture-too-short', { path: 'p', size: 0 }).message, /\(0 bytes\)/);
    assert.match(new Failure('capture-too-short', { path: 'p' }).message, /\{size\}/);
  });

  test('takes exit code and retryability from the table', () => {
    for (const [code, row] of Object.entries(errorTable)) {
      const failure = new Failure(code as ErrorCode);
      assert.deepEqual([failure.exit, failure.retryable], [row.exit, row.retryable]);
    }
    assert.equal(new Failure('setting-invalid').exit, exitCode.usage);
    assert.equal(new Failure('read-failed').retryable, true);
    assert.equal(new Failure('capture-unknown').retryable, false);
  });

  test('keeps its cause, and is an Error by name', () => {
    const cause = new Error('deep');
    const failure = new Failure('internal', { reason: 'r' }, { cause });
    assert.ok(failure instanceof Error);
    assert.equal(failure.cause, cause);
    assert.equal(failure.name, 'Failure');
  });
});

describe('anything thrown', () => {
  test('is a failure: itself where it is one, else internal with the thing as cause', () => {
    const failure = new Failure('set-empty', { path: 'p' });
    assert.equal(asFailure(failure), failure);
    for (const [thrown, reason] of [
      [new TypeError('no'), 'no'],
      ['text', 'text'],
      [undefined, 'undefined'],
      [null, 'null'],
      [5, '5'],
    ] as const) {
      const made = asFailure(thrown);
      assert.equal(made.code, 'internal');
      assert.equal(made.message, `internal error: ${reason}`);
      assert.equal(made.cause, thrown);
    }
  });

  test('is what Redis says of itself', () => {
    for (const [said, code] of [
      ["OOM command not allowed when used memory > 'maxmemory'.", 'redis-refused'],
      ['READONLY You can’t write against a read only replica.', 'redis-refused'],
      ['MISCONF Redis is configured to save RDB snapshots', 'redis-refused'],
      ['NOPERM this user has no permissions', 'redis-forbidden'],
      ['WRONGTYPE Operation against a key holding the wrong kind of value', 'redis-foreign'],
      ['OOMPH! it goes', 'internal'],
      ['constructor is no answer of Redis', 'internal'],
    ] as const)
      assert.equal(asFailure(new Error(said)).code, code);
  });

  test('has a short reason: message, or errno, or name', () => {
    const system = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
    assert.equal(reasonOf(system), 'ECONNREFUSED');
    assert.equal(reasonOf(new RangeError('')), 'RangeError');
    assert.equal(reasonOf(new Error('m')), 'm');
  });

  test('has an errno only where it is a system error', () => {
    assert.equal(errnoOf(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT');
    assert.equal(errnoOf(Object.assign(new Error('x'), { code: 7 })), undefined);
    assert.equal(errnoOf(new Error('x')), undefined);
    assert.equal(errnoOf({ code: 'ENOENT' }), undefined);
  });
});
