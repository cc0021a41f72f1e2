// What anybody may write to a shared Redis: messages and jobs that fit are taken, others are not.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  fromSensorSchema,
  prepareJobSchema,
  registrationSchema,
  toSensorsSchema,
} from '@capfleet/shared/contract/agent-messages';
import { mapJobId, mapJobSchema } from '@capfleet/shared/contract/map-job';
import {
  addAccounts,
  addsUp,
  emptyAccounts,
  refusalCauses,
  type Accounts,
} from '@capfleet/shared/contract/report';
import {
  accounts,
  goodClock,
  plainSystemClock,
  playResult,
  prepareJob,
} from '../../../support/play-results.ts';

const registration = {
  v: 1,
  sensor: 'one',
  instance: 'x',
  place: 'p',
  version: '0.1.0',
  host: 'h',
  interface: 'eth1',
  link: 'af_packet',
  mtu: 1500,
  up: true,
  clock: goodClock,
  systemClock: plainSystemClock,
  busyWith: null,
};
const file = { path: '/data/a.pcap', name: 'a.pcap', size: 5, version: '123' };
const mapJob = { v: 2, request: 'r-1', file, task: { do: 'map', quick: false } };

const commit = { type: 'commit', epoch: 1, clock: 'redis', start: '1700000000000000000' };
const accept = { code: 6, jt: 0, jf: 0, k: 1 };
const filtered = (program: unknown): unknown => {
  const job = prepareJob('r', 1);
  return { ...job, plan: { ...job.plan, filter: { expression: 'tcp', program } } };
};

describe('what fits its schema is taken as it is', () => {
  for (const [what, schema, value] of [
    ['a registration', registrationSchema, registration],
    [
      'a registration of a link without an interface',
      registrationSchema,
      { ...registration, mtu: null, clock: null, systemClock: null, busyWith: 'run-1' },
    ],
    ['a job to prepare', prepareJobSchema, prepareJob('run-1', 0)],
    ['a job to prepare with a filter', prepareJobSchema, filtered([accept])],
    ['a commit', toSensorsSchema, commit],
    ['a cancel', toSensorsSchema, { type: 'cancel', epoch: 1, reason: 'r' }],
    ['a stop', toSensorsSchema, { type: 'stop' }],
    ['a report', fromSensorSchema, { type: 'report', sensor: 'one', epoch: 1, result: playResult() }],
    ['a job to map', mapJobSchema, mapJob],
    ['a job to map a file from before 1970', mapJobSchema, { ...mapJob, file: { ...file, version: '-5' } }],
  ] as const) {
    test(what, () => assert.deepEqual(schema.parse(JSON.parse(JSON.stringify(value))), value));
  }
});

describe('what does not fit is refused', () => {
  for (const [what, schema, value] of [
    ['a registration of another version', registrationSchema, { ...registration, v: 2 }],
    ['a sensor name with a slash', registrationSchema, { ...registration, sensor: 'a/b' }],
    ['a sensor name that is too long', registrationSchema, { ...registration, sensor: 'a'.repeat(65) }],
    ['a host without end', registrationSchema, { ...registration, host: 'a'.repeat(5001) }],
    ['an unknown link', registrationSchema, { ...registration, link: 'dpdk' }],
    ['a job with more in it than is known', prepareJobSchema, { ...prepareJob('r', 1), command: 'rm' }],
    ['a job of another version', prepareJobSchema, { ...prepareJob('r', 1), v: 2 }],
    ['a run id with a colon', prepareJobSchema, prepareJob('a:b', 1)],
    ['a filter without end', prepareJobSchema, filtered([{ ...accept, code: 5, k: 0xffff_ffff }, accept])],
    ['a filter that is none', prepareJobSchema, filtered('tcp')],
    ['a filter of too many instructions', prepareJobSchema, filtered(Array(5000).fill(accept))],
    ['a negative epoch', prepareJobSchema, prepareJob('r', -1)],
    ['a start as a number', toSensorsSchema, { ...commit, start: 1.7e18 }],
    ['a start with a point', toSensorsSchema, { ...commit, start: '17.5' }],
    ['a start of endless digits', toSensorsSchema, { ...commit, start: '1'.repeat(26) }],
    ['a start on a clock that nobody knows', toSensorsSchema, { ...commit, clock: 'sundial' }],
    ['an unknown word', toSensorsSchema, { type: 'go', epoch: 1 }],
    ['a word without an epoch', toSensorsSchema, { type: 'cancel', reason: 'r' }],
    [
      'a report with a count below zero',
      fromSensorSchema,
      { type: 'report', sensor: 'one', epoch: 1, result: playResult({ loops: -1 }) },
    ],
    [
      'a report that leaves out a cause',
      fromSensorSchema,
      {
        type: 'report',
        sensor: 'one',
        epoch: 1,
        result: playResult({ accounts: { ...accounts(), refused: { late: 1 } as never } }),
      },
    ],
    ['a job to map with more in it than is known', mapJobSchema, { ...mapJob, file: { ...file, mode: 1 } }],
    ['a job to map without a path', mapJobSchema, { ...mapJob, file: { ...file, path: '' } }],
    ['a job to map an endless path', mapJobSchema, { ...mapJob, file: { ...file, path: 'a'.repeat(4097) } }],
    ['a job to map a negative size', mapJobSchema, { ...mapJob, file: { ...file, size: -1 } }],
    ['a job that is text', mapJobSchema, 'map everything'],
    ['a job that is null', mapJobSchema, null],
  ] as const) {
    test(what, () => assert.equal(schema.safeParse(value).success, false));
  }
});

describe('the id of a map job', () => {
  test('is one per request and path, and one that the queue takes', () => {
    const paths = ['/a', '/b', '/a:b', '/ü', 'x'.repeat(4000)];
    const ids = paths.flatMap((path) => ['r1', 'r2'].map((request) => mapJobId(request, path)));
    assert.equal(new Set(ids).size, 10);
    for (const id of ids) assert.match(id, /^r\d\.[0-9a-f]{32}$/);
    assert.equal(mapJobId('r1', '/a'), ids[0]);
  });
});

describe('accounts', () => {
  const anyAccounts: fc.Arbitrary<Accounts> = fc
    .record({
      sent: fc.nat(1000),
      sentBytes: fc.nat(),
      backwards: fc.nat(10),
      reordered: fc.nat(10),
      truncated: fc.nat(10),
      segmented: fc.nat(10),
      segments: fc.nat(10),
      refused: fc.record(Object.fromEntries(refusalCauses.map((cause) => [cause, fc.nat(100)]))),
    })
    .map(({ refused, ...rest }) => ({
      ...rest,
      refused: { ...refused } as Accounts['refused'],
      read: Object.values(refused).reduce((sum, count) => sum + count, rest.sent),
    }));

  test('add up where every packet read is sent or refused, also when they are added', () => {
    fc.assert(
      fc.property(anyAccounts, anyAccounts, (a, b) => {
        assert.ok(addsUp(a) && addsUp(addAccounts(a, b)));
        assert.deepEqual(addAccounts(a, b), addAccounts(b, a));
        assert.deepEqual(addAccounts(a, emptyAccounts()), { ...a });
        assert.equal(addsUp({ ...a, read: a.read + 1 }), false);
        assert.equal(addsUp({ ...a, sent: a.sent + 1 }), false);
      }),
    );
  });

  test('are not changed by adding', () => {
    const a = accounts({ sent: 1, read: 1 });
    addAccounts(a, a);
    assert.deepEqual(a, accounts({ sent: 1, read: 1 }));
    assert.deepEqual(emptyAccounts(), accounts());
  });
});
