// What `capfleet doctor` makes of the facts of a host and of a Redis: each verdict with what mends it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HostFacts } from '@capfleet/cli/doctor/host-facts';
import { judgeHost, judgeInterface, judgeOffloads, type Finding } from '@capfleet/cli/doctor/judge-host';
import { judgeRedis } from '@capfleet/cli/doctor/judge-redis';
import { showFindings } from '@capfleet/cli/show/findings';

const prepared: HostFacts = {
  processors: 4,
  native: true,
  node: '/opt/capfleet/node',
  capabilities: { netRaw: true, ipcLock: true, sysNice: true },
  realtimeAllowed: true,
  realtimeRuntime: 950_000,
  realtimePeriod: 1_000_000,
  lockedMemory: 8 * 1024 ** 2,
  openFiles: 20_000,
  governors: ['performance'],
  stolen: 0.0001,
  clock: { synchronised: true, maxErrorUs: 200 },
  libpcap: null,
};

function amiss(findings: readonly Finding[]): string[] {
  for (const { verdict, remedy, check } of findings) assert.equal(remedy === null, verdict === 'ok', check);
  return findings
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ check, verdict, remedy }) => `${verdict} ${check}: ${remedy ?? ''}`);
}

describe('a host', () => {
  test('that is prepared has nothing amiss', () => {
    assert.deepEqual(amiss(judgeHost(prepared)), []);
    const others = { governors: [], realtimeRuntime: -1, lockedMemory: Infinity, openFiles: Infinity };
    assert.deepEqual(amiss(judgeHost({ ...prepared, ...others, realtimePeriod: null })), []);
  });

  for (const [what, facts, said] of [
    ['no native core', { native: false }, /^error native core: npm run build/],
    [
      'no right to raw packets',
      { capabilities: { ...prepared.capabilities, netRaw: false } },
      /^error raw packets: .*deploy\/host.*sudo setcap cap_net_raw\S+ "\/opt\/capfleet\/node"/,
    ],
    ['no real-time class', { realtimeAllowed: false }, /^warning real-time class: .*LimitRTPRIO=1/],
    [
      'real-time threads held short',
      { realtimeRuntime: 50_000, realtimePeriod: 100_000 },
      /^warning real-time throttling: sudo sysctl -w kernel\.sched_rt_runtime_us=95000$/,
    ],
    [
      'little memory that may be locked',
      { capabilities: { ...prepared.capabilities, ipcLock: false } },
      /^warning locked memory: .*LimitMEMLOCK=64M/,
    ],
    ['few open files', { openFiles: 1024 }, /^warning open files: .*ulimit -n/],
    ['slow processors', { governors: ['performance', 'powersave'] }, /^warning processor speed: .*cpupower/],
    ['processors that are taken away', { stolen: 0.02 }, /^warning processors: /],
    [
      'a clock of its own',
      { clock: { synchronised: false, maxErrorUs: 16 } },
      /^warning system clock: .*apt-get install chrony/,
    ],
    [
      'a clock that is far off',
      { clock: { synchronised: true, maxErrorUs: 5000 } },
      /^warning system clock: give chrony servers that are nearer/,
    ],
    ['no libpcap', { libpcap: 'cannot open it' }, /^warning libpcap: .*libpcap0.8/],
  ] as const) {
    test(`with ${what} is told what to do`, () => {
      const [only, ...more] = amiss(judgeHost({ ...prepared, ...facts }));
      assert.match(only ?? '', said);
      assert.deepEqual(more, []);
    });
  }
});

test('how far off the system clock may be is told in a unit that suits', () => {
  const clock = { synchronised: false, maxErrorUs: 16_000_000 };
  const found = judgeHost({ ...prepared, clock }).find(({ check }) => check === 'system clock')?.found;
  assert.match(found ?? '', /^not synchronised, ± 16 s by the kernel/);
});

test('one long path does not push what was found off the screen', () => {
  const long = `source /${'x'.repeat(80)}`;
  const text = showFindings([
    { check: 'libpcap', verdict: 'ok', found: 'is there', remedy: null },
    { check: long, verdict: 'error', found: 'cannot be read', remedy: 'chmod' },
  ]);
  assert.match(text, /^ok {7}libpcap {2,20}is there\n/);
  assert.match(text, /x {2}cannot be read\n {9}→ chmod\n/);
});

describe('an interface', () => {
  const up = { mtu: 1500, up: true, ethernet: true, defaultRoute: false, merges: false };
  for (const [what, state, verdict, said] of [
    ['is up', up, 'ok', /MTU 1500/],
    ['is not there', null, 'error', /not there/],
    ['is down', { ...up, up: false }, 'error', /down/],
    ['is no Ethernet', { ...up, ethernet: false }, 'error', /no Ethernet/],
    ['has the default route', { ...up, defaultRoute: true }, 'warning', /default route/],
  ] as const) {
    test(`that ${what}: ${verdict}`, () => {
      const finding = judgeInterface({ name: 'eth1', state, others: ['eth2'] });
      assert.equal(finding.verdict, verdict);
      assert.match(finding.found, said);
      if (!state) assert.match(finding.remedy ?? '', /eth2/);
    });
  }
});

test('what an interface does to what arrives at it is told, with the way to have it as it was sent', () => {
  const state = { mtu: 1500, up: true, ethernet: true, defaultRoute: false, merges: true };
  const [merging] = judgeOffloads({ name: 'eth1', state, others: [] });
  assert.deepEqual([merging?.verdict, merging?.remedy], ['warning', 'sudo ethtool -K eth1 gro off lro off']);
  const [plain] = judgeOffloads({ name: 'eth1', state: { ...state, merges: false }, others: [] });
  assert.equal(plain?.verdict, 'ok');
  assert.deepEqual(judgeOffloads({ name: 'eth1', state: null, others: [] }), []);
});

describe('a Redis', () => {
  const good = { version: '7.0.15', policy: 'noeviction', appendOnly: true, roundTrip: 0.1 };
  for (const [what, facts, said] of [
    ['is as it should be', {}, []],
    ['does not say how it is set up', { policy: null, appendOnly: null }, []],
    ['is old', { version: '6.0.16' }, [/^error Redis: /]],
    ['evicts', { policy: 'allkeys-lru' }, [/^warning Redis: eviction: .*noeviction/]],
    ['forgets', { appendOnly: false }, [/^warning Redis: persistence: .*appendonly yes/]],
    ['is far', { roundTrip: 20 }, [/^warning Redis: distance: /]],
  ] as const) {
    test(`that ${what}`, () => {
      const found = amiss(judgeRedis('redis://x', { ...good, ...facts }));
      assert.equal(found.length, said.length, found.join('\n'));
      said.forEach((pattern, index) => assert.match(found[index] ?? '', pattern));
    });
  }
});
