// `replay --verify-interface`: the program captures its own far end through libpcap, holds what arrived against the
// plan and makes that part of the verdict. Over real links: a veth pair, and a bridge that loses what is too large.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { startPrivateRedis } from '@capfleet/cli/local/private-redis';
import type { RunReport } from '@capfleet/shared/contract/report';
import { program, runCapfleet, type Ended, type RunOptions } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { numberedFrame } from '../support/frames.ts';
import {
  createNamespace,
  linkCounters,
  removeNamespace,
  runIn,
  spawnIn,
  vethPair,
} from '../support/netns.ts';
import { numberedConversation } from '../support/numbered-set.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { processesMentioning } from '../support/processes.ts';
import { end } from '../support/sensor-hosts.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = await enterNamespaces(import.meta);
const NS = 'far-end';
const SWITCH = 'far-end-switch';
const PACKETS = 300;
const LARGE = 1400;
/** Below it, and large enough for IPv6, without which an interface is no usual one. */
const SMALL_MTU = 1300;

interface Place {
  readonly dir: string;
  readonly dump: string;
  /** Temporary folder of the program. */
  readonly temporary: string;
}

/** A mapped set of a second, every tenth packet large. */
async function makePlace(t: TestContext): Promise<Place> {
  const dir = await tempDir(t);
  const temporary = join(dir, 'tmp');
  await mkdir(temporary);
  const packets = Array.from({ length: PACKETS }, (_, number) => ({
    seconds: 1_700_000_000,
    fraction: number * 3000,
    data: numberedFrame(numberedConversation, number % 10 === 0 ? LARGE : 200, number),
  }));
  await writeFile(join(dir, 'set.pcap'), pcapFile({}, packets));
  const dump = join(dir, 'map.json');
  const args = ['--dir-src', dir, '--file-suffix', '.pcap', '--file-workers', '1', '--dump-json', dump];
  const mapped = await runCapfleet(['map', ...args]);
  assert.equal(mapped.code, 0, mapped.stderr);
  return { dir, dump, temporary };
}

async function namespaces(t: TestContext, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await createNamespace(name);
    t.after(() => removeNamespace(name));
  }
}

async function replay(
  { dump, temporary }: Place,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const command = [
    process.execPath,
    program,
    'replay',
    '--dump-json',
    dump,
    '--out-interface',
    'out0',
    ...args,
  ];
  return runCapfleet([], {
    through: ['nsenter', `--net=/run/netns/${NS}`, '--', ...command],
    env: { ...process.env, TMPDIR: temporary },
    ...options,
  });
}

function reportOf({ code, stdout, stderr }: Ended): RunReport {
  assert.ok(code === 0 || code === 4, `code ${String(code)}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout) as RunReport;
}

/** Checks of the far end that do not hold. */
function broken({ verdict }: RunReport): string[] {
  return verdict.findings
    .filter(({ check, holds }) => check.startsWith('far end') && !holds)
    .map(({ check }) => check);
}

test('what arrives over a veth pair is captured, compared and part of the report', { skip }, async (t) => {
  await namespaces(t, NS);
  await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: NS, name: 'far0' } });
  const place = await makePlace(t);
  const plots = join(place.dir, 'plots');
  const ended = await replay(place, [
    '--verify-interface',
    'far0',
    '--verify-plots',
    plots,
    '--loop-count',
    '2',
    '--json',
  ]);
  const report = reportOf(ended);
  const [farEnd, ...more] = report.farEnds ?? [];
  assert.ok(farEnd && more.length === 0, ended.stdout);
  const { sensor, interface: name, capture, comparison, clockBound } = farEnd;
  assert.deepEqual([sensor, name], ['local', 'far0']);
  assert.deepEqual(capture, { packets: 2 * PACKETS, dropped: 0, resolution: 'us' });
  const { sent, matched, lost, duplicated, foreign, order } = comparison;
  assert.deepEqual([sent, matched, lost, duplicated, foreign], [2 * PACKETS, 2 * PACKETS, 0, 0, 0]);
  assert.deepEqual(order, { inversions: 0, displaced: 0 });
  assert.deepEqual(broken(report), []);
  assert.ok(report.verdict.findings.some(({ check }) => check === 'far end: loss'));
  // Both ends share a clock, so that lateness is known; its size is a matter of the machine.
  assert.ok(comparison.lateness && comparison.lateness.max < 5e9 && BigInt(clockBound ?? 0) > 0n);
  assert.deepEqual((await readdir(plots)).sort(), ['deviation.svg', 'gap-error.svg', 'packet-rate.svg']);
  assert.deepEqual(await readdir(place.temporary), [], 'nothing is left of the capture');

  const text = await replay(place, ['--verify-interface', 'far0']);
  assert.match(text.stdout, /far end of local, far0: 300 of 300 packets arrived, in order/);
  assert.match(text.stdout, /lateness +\S+ [nµm]?s/);
});

test('a bridge that loses large frames is found out, though every packet was sent', { skip }, async (t) => {
  await namespaces(t, NS, SWITCH);
  await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: SWITCH, name: 'in0' } });
  await vethPair({
    a: { ns: NS, name: 'far0', mtu: SMALL_MTU },
    b: { ns: SWITCH, name: 'out1', mtu: SMALL_MTU },
  });
  try {
    await runIn(SWITCH, 'ip', ['link', 'add', 'br0', 'type', 'bridge']);
  } catch {
    t.skip('this kernel has no bridge');
    return;
  }
  for (const port of ['in0', 'out1']) await runIn(SWITCH, 'ip', ['link', 'set', port, 'master', 'br0']);
  await runIn(SWITCH, 'ip', ['link', 'set', 'br0', 'up']);
  const place = await makePlace(t);
  const ended = await replay(place, ['--verify-interface', 'far0', '--json']);
  const report = reportOf(ended);
  assert.equal(ended.code, 4);
  assert.equal(report.totals.sent, PACKETS);
  const [farEnd] = report.farEnds ?? [];
  assert.equal(farEnd?.comparison.lost, PACKETS / 10);
  assert.deepEqual(farEnd.comparison.order, { inversions: 0, displaced: 0 });
  assert.deepEqual(broken(report), ['far end: loss']);
});

test('a frame that is left out for its size is not missed at the far end', { skip }, async (t) => {
  await namespaces(t, NS);
  const mtu = SMALL_MTU;
  await vethPair({ a: { ns: NS, name: 'out0', mtu }, b: { ns: NS, name: 'far0', mtu } });
  const report = reportOf(
    await replay(await makePlace(t), ['--verify-interface', 'far0', '--mtu-policy', 'skip', '--json']),
  );
  const [farEnd] = report.farEnds ?? [];
  assert.deepEqual([farEnd?.comparison.sent, farEnd?.comparison.lost], [PACKETS - PACKETS / 10, 0]);
  assert.deepEqual(broken(report), []);
});

test('Ctrl-C ends the capture too: what was sent is reported, and nothing is left', { skip }, async (t) => {
  await namespaces(t, NS);
  await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: NS, name: 'far0' } });
  const { dump, temporary } = await makePlace(t);
  const where = ['--dump-json', dump, '--out-interface', 'out0', '--verify-interface', 'far0'];
  const slowly = ['--time-modifier', '0.01', '--json'];
  const running = spawnIn(NS, process.execPath, [program, 'replay', ...where, ...slowly], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  let [stdout, stderr] = ['', ''];
  running.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  running.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(running, 'close');
  await waitFor('frames at the far end', async () => (await linkCounters(NS, 'far0')).rxPackets > 5, {
    timeout: 60_000,
  });
  assert.notDeepEqual(await readdir(temporary), [], 'the capture is there meanwhile');
  running.kill('SIGINT');
  const [code] = (await ended) as [number | null];
  assert.equal(code, 130, stderr);
  const report = JSON.parse(stdout) as RunReport;
  assert.equal(report.outcome, 'stopped');
  assert.equal((await linkCounters(NS, 'far0')).rxPackets, report.totals.sent);
  assert.match(stderr, /what the far end received was not compared/);
  assert.deepEqual(await readdir(temporary), []);
  assert.deepEqual(await processesMentioning(temporary), []);
});

test('each of two sensors is held against its own far end', { skip }, async (t) => {
  const sensors = ['a', 'b'];
  await namespaces(t, NS, ...sensors.map((sensor) => `far-end-${sensor}`));
  for (const sensor of sensors) {
    await vethPair({ a: { ns: `far-end-${sensor}`, name: 'out0' }, b: { ns: NS, name: `far-${sensor}` } });
  }
  const { dir, dump } = await makePlace(t);
  await writeFile(
    join(dir, 'second.pcap'),
    pcapFile({}, [
      { seconds: 1_700_000_000, fraction: 5, data: numberedFrame(numberedConversation, 90, PACKETS) },
    ]),
  );
  const again = ['--dir-src', dir, '--file-suffix', '.pcap', '--file-workers', '1', '--dump-json', dump];
  assert.equal((await runCapfleet(['map', ...again])).code, 0);
  const redis = await startPrivateRedis();
  t.after(() => redis.close());
  const agents = sensors.map((sensor) =>
    spawnIn(
      `far-end-${sensor}`,
      process.execPath,
      [program, 'replayer', '--sensor', sensor, '--interface', 'out0', '--redis', redis.url],
      { stdio: 'ignore' },
    ),
  );
  t.after(() => Promise.all(agents.map(end)));
  const args = ['--sensors', 'a,b', '--redis', redis.url, '--sensor-timeout', '40s', '--dump-json', dump];
  const assigned = ['--assign', 'a=set', '--assign', 'b=second'];
  const watched = ['--verify-interface', 'far-a', '--verify-interface', 'far-b', '--json'];
  const command = ['nsenter', `--net=/run/netns/${NS}`, '--', process.execPath, program, 'replay'];
  const report = reportOf(await runCapfleet([...args, ...assigned, ...watched], { through: command }));
  assert.deepEqual(
    report.farEnds?.map(({ sensor, interface: name, comparison, clockBound }) => [
      sensor,
      name,
      comparison.sent,
      comparison.matched,
      comparison.foreign,
      clockBound,
    ]),
    [
      ['a', 'far-a', PACKETS, PACKETS, 0, null],
      ['b', 'far-b', 1, 1, 0, null],
    ],
  );
  assert.deepEqual(broken(report), []);
});

test('what cannot be captured is refused before anything is sent', { skip }, async (t) => {
  await namespaces(t, NS);
  await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: NS, name: 'far0' } });
  const place = await makePlace(t);
  const refused = async (code: number, said: RegExp, ...args: readonly string[]): Promise<void> => {
    const ended = await replay(place, args);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, said);
    assert.equal(ended.stdout, '');
  };
  await refused(1, /capturing on gone0 failed: .*\n.*--verify-interface/, '--verify-interface', 'gone0');
  await refused(2, /arrives at its far end, not there/, '--verify-interface', 'out0');
  await refused(2, /2 given for 1/, '--verify-interface', 'far0', '--verify-interface', 'lo');
  await refused(2, /without end/, '--verify-interface', 'far0', '--loop-infinite');
  await refused(2, /only with --verify-interface/, '--verify-plots', 'plots');
  assert.deepEqual(await readdir(place.temporary), []);
  await assert.rejects(access(join(place.dir, 'plots')));
});
