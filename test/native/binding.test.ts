/** binding.ts and the addon are the same thing seen from two sides. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import {
  HISTOGRAM_BUCKETS,
  STAT,
  STAT_COUNT,
  type PacerHandle,
} from '../../services/replayer/src/native/binding.ts';
import { createPacer, native } from './support/native.ts';

test('STAT names the places that pacer.h does, in the same order', () => {
  const header = readFileSync(
    new URL('../../services/replayer/native/include/pacer.h', import.meta.url),
    'utf8',
  );
  const inHeader = [...header.matchAll(/^ {4}STAT_(\w+),/gm)].map((match) => match[1]);
  const inBinding = Object.keys(STAT).map((name) => name.replace(/[A-Z]/g, '_$&').toUpperCase());
  assert.deepEqual(inBinding, inHeader.slice(0, -1));
  assert.deepEqual(
    Object.values(STAT),
    Array.from({ length: STAT_COUNT }, (_, place) => place),
  );
});

test('HISTOGRAM_BUCKETS is the number of buckets that have a bound', () => {
  assert.equal(native.histogramUpperBound(HISTOGRAM_BUCKETS - 1), 2 ** 42 - 1);
  assert.equal(native.histogramUpperBound(HISTOGRAM_BUCKETS), -1);
  assert.equal(native.histogramUpperBound(-1), -1);
});

test('a value of the wrong type is a TypeError, whatever it is', () => {
  const handle = createPacer();
  const values: unknown[] = [
    undefined,
    null,
    true,
    1,
    1n,
    'x',
    Symbol('x'),
    {},
    [],
    () => 0,
    new Float64Array(9999),
  ];
  const takesHandle = [
    'ring',
    'commit',
    'end',
    'start',
    'stop',
    'pause',
    'resume',
    'stats',
    'histogram',
    'departures',
    'close',
  ] as const;
  for (const value of values) {
    for (const name of takesHandle) {
      assert.throws(() => (native[name] as (...a: unknown[]) => unknown)(value, value), TypeError, name);
    }
    assert.throws(() => native.createPacer(value as never), TypeError);
    for (const key of [
      'link',
      'interface',
      'qdiscBypass',
      'path',
      'linkType',
      'ringBytes',
      'spin',
      'realtime',
      'cpu',
      'lockMemory',
      'txStamps',
      'lateDropNs',
      'maxBatch',
    ]) {
      const fits =
        {
          qdiscBypass: 'boolean',
          realtime: 'boolean',
          cpu: 'number',
          lockMemory: 'boolean',
          linkType: 'number',
          ringBytes: 'number',
          lateDropNs: 'number',
          maxBatch: 'number',
        }[key] ?? 'string';
      if (typeof value === fits && !['link', 'spin', 'txStamps'].includes(key)) continue;
      assert.throws(() => createPacer({ [key]: value }), TypeError, key);
    }
    if (typeof value !== 'number') assert.throws(() => native.commit(handle, value as never), TypeError);
    if (typeof value !== 'number') assert.throws(() => native.histogramUpperBound(value as never), TypeError);
    if (typeof value !== 'bigint') assert.throws(() => native.start(handle, value as never), TypeError);
    if (typeof value !== 'string') assert.throws(() => native.interfaceFacts(value as never), TypeError);
    if (typeof value !== 'string') assert.throws(() => native.compileFilter(value as never), TypeError);
    assert.throws(() => native.stats(handle, value as never), TypeError);
    assert.throws(() => native.histogram(handle, value as never), TypeError);
  }
  assert.throws(() => native.stats(handle, new BigInt64Array(STAT_COUNT - 1)), TypeError);
  assert.throws(() => native.histogram(handle, new BigInt64Array(HISTOGRAM_BUCKETS - 1)), TypeError);
  assert.throws(() => native.start(handle, 1n << 64n), TypeError);
  assert.throws(() => createPacer({ link: 'file', path: '/tmp/a\0b' }), TypeError);
});

test('an exception of a getter in the options comes through', () => {
  const options = {
    get link(): never {
      throw new RangeError('mine');
    },
  };
  assert.throws(() => native.createPacer(options as never), { name: 'RangeError', message: 'mine' });
});

test('a size or count out of range is EINVAL', () => {
  for (const ringBytes of [0, -1, 1 << 15, (1 << 16) + 8, 2 ** 31, NaN, Infinity]) {
    assert.throws(() => createPacer({ ringBytes }), { code: 'EINVAL' }, String(ringBytes));
  }
  for (const maxBatch of [0, 65, -1]) assert.throws(() => createPacer({ maxBatch }), { code: 'EINVAL' });
  assert.throws(() => createPacer({ lateDropNs: -1 }), { code: 'EINVAL' });
  for (const cpu of [-2, 1023, 1024, 2 ** 40])
    assert.throws(() => createPacer({ cpu }), { code: 'EINVAL', syscall: 'sched_setaffinity' }, String(cpu));
});

test('a link that can not be opened says why', () => {
  assert.throws(() => createPacer({ link: 'file', path: '/nonexistent/x.pcap' }), {
    name: 'Error',
    code: 'ENOENT',
    errno: -2,
    syscall: 'open',
    link: 'file',
    message: 'ENOENT: No such file or directory, open',
  });
  assert.throws(() => createPacer({ link: 'file', path: 'x'.repeat(5000) }), { code: 'ENAMETOOLONG' });
  assert.throws(() => createPacer({ link: 'file', path: '/dev/full' }), { code: 'ENOSPC', syscall: 'write' });
});

test('the ring is one ArrayBuffer of the size asked for', () => {
  const handle = createPacer({ ringBytes: 1 << 20 });
  const memory: ArrayBuffer = native.ring(handle);
  assert.equal(memory.byteLength, 1 << 20);
  assert.equal(native.ring(handle), memory);
});

test('interfaceFacts knows the loopback interface and no unknown one', () => {
  assert.ok('lo' in networkInterfaces());
  const { index, mtu, up, loopback, hardwareType } = native.interfaceFacts('lo');
  assert.deepEqual(
    { index, up, loopback, hardwareType },
    { index: 1, up: true, loopback: true, hardwareType: 772 },
  );
  assert.ok(mtu > 0);
  for (const name of ['', 'no-such-if', 'a-name-longer-than-any-interface-has'.repeat(9)]) {
    assert.throws(() => native.interfaceFacts(name), { code: 'ENODEV', errno: -19, syscall: 'ioctl' });
  }
});

test('clockFacts are numbers and monotonicNow goes forward', () => {
  for (const [name, value] of Object.entries(native.clockFacts()))
    assert.ok(Number.isSafeInteger(value), name);
  const before = native.monotonicNow();
  assert.ok(native.monotonicNow() >= before);
  assert.ok(before - process.hrtime.bigint() < 1_000_000_000n);
});

test('wallOffset brings CLOCK_MONOTONIC to the wall clock, and wants a reading', () => {
  const { offset, bound } = native.wallOffset(15);
  assert.ok(bound >= 0n && bound < 1_000_000_000n);
  // The wall clock of JavaScript is in milliseconds.
  const wall = BigInt(Date.now()) * 1_000_000n - native.monotonicNow();
  assert.ok(offset - wall < 1_000_000_000n && wall - offset < 1_000_000_000n);
  for (const readings of [0, -1, 2 ** 31])
    assert.throws(() => native.wallOffset(readings), { code: 'EINVAL' });
  assert.throws(() => native.wallOffset('15' as never), TypeError);
});

test('start twice is EALREADY', () => {
  const handle: PacerHandle = createPacer();
  native.start(handle, native.monotonicNow());
  assert.throws(() => native.start(handle, 0n), { code: 'EALREADY' });
  native.close(handle);
});
