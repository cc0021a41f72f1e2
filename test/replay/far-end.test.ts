// `replay --verify-interface`: the program captures its own far end through libpcap, holds what arrived against the
// plan and makes that part of the verdict. Over real links: a veth pair, and a bridge that loses what is too large.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { startPrivateRedis } from '@capfleet/cli/local/private-redis';
import { showReport } from '@capfleet/cli/show/report';
import { mapCaptures } from '@capfleet/cli/verify-replay';
import { captureFarEnd } from '@capfleet/replayer/adapters/far-end-capture';
import type { RunReport } from '@capfleet/shared/contract/report';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import { disk } from '@capfleet/shared/source/disk';
import { program, runCapfleet } from '../support/capfleet.ts';
import { writeDump } from '../support/dump.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { numberedFrame } from '../support/frames.ts';
import { lastFirst } from '../support/last-first.ts';
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
/** Every tenth packet. */
const LARGE = 1400;
const FITTING = PACKETS - PACKETS / 10;
/** Below it, and large enough for IPv6, without which an interface is no usual one. */
const SMALL_MTU = 1300;

let dir = '';
let temporary = '';
const cleanUp = lastFirst({ after });

/** A set of a third of a second, and one of a single packet. */
before(async () => {
  dir = await tempDir(cleanUp);
  temporary = join(dir, 'tmp');
  await mkdir(temporary);
  const packets = Array.from({ length: PACKETS + 1 }, (_, number) => ({
    seconds: 1_700_000_000,
    fraction: number * 1000,
    data: numberedFrame(numberedConversation, number % 10 === 0 ? LARGE : 200, number),
  }));
  await writeFile(join(dir, 'set.pcap'), pcapFile({}, packets.slice(0, PACKETS)));
  await writeFile(join(dir, 'second.pcap'), pcapFile({}, packets.slice(PACKETS)));
});

async function dumpOf(...names: readonly string[]): Promise<string> {
  const path = join(dir, `${names.join('+')}.json`);
  const maps = await mapCaptures(
    names.map((name) => join(dir, name)),
    disk,
  );
  await writeFile(path, await writeDump(buildDataSet(maps)));
  return path;
}

async function namespaces(t: TestContext, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await createNamespace(name);
    t.after(() => removeNamespace(name));
  }
}

async function replay(...args: readonly string[]): Promise<RunReport> {
  const command = ['nsenter', `--net=/run/netns/${NS}`, '--', process.execPath, program, 'replay'];
  const { code, stdout, stderr } = await runCapfleet([...args, '--json'], {
    through: command,
    env: { ...process.env, TMPDIR: temporary },
  });
  assert.ok(code === 0 || code === 4, `code ${String(code)}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout) as RunReport;
}

/** Checks of far ends that do not hold. */
function broken({ verdict }: RunReport): string[] {
  return verdict.findings
    .filter(({ check, holds }) => check.startsWith('far end') && !holds)
    .map(({ check, sensor }) => `${String(sensor)}: ${check}`);
}

test(
  'what arrives is captured, compared and part of the report; what is left out is not missed',
  { skip },
  async (t) => {
    await namespaces(t, NS);
    const mtu = SMALL_MTU;
    await vethPair({ a: { ns: NS, name: 'out0', mtu }, b: { ns: NS, name: 'far0', mtu } });
    const plots = join(dir, 'plots');
    const report = await replay(
      ...['--dump-json', await dumpOf('set.pcap'), '--out-interface', 'out0', '--mtu-policy', 'skip'],
      ...['--verify-interface', 'far0', '--verify-plots', plots, '--loop-count', '2'],
    );
    const [farEnd, ...more] = report.farEnds ?? [];
    assert.ok(farEnd && more.length === 0, JSON.stringify(report));
    const { sensor, interface: name, capture, comparison, paused, clockBound } = farEnd;
    assert.deepEqual([sensor, name, paused], ['local', 'far0', '0']);
    assert.deepEqual(capture, { packets: 2 * FITTING, dropped: 0, resolution: 'us' });
    const { sent, matched, lost, duplicated, foreign, order } = comparison;
    assert.deepEqual([sent, matched, lost, duplicated, foreign], [2 * FITTING, 2 * FITTING, 0, 0, 0]);
    assert.deepEqual(order, { inversions: 0, displaced: 0 });
    assert.deepEqual(broken(report), []);
    assert.ok(report.verdict.findings.some(({ check }) => check === 'far end: loss'));
    // Both ends share a clock, so that lateness is known; its size is a matter of the machine.
    assert.ok(comparison.lateness && comparison.lateness.max < 5e9 && BigInt(clockBound ?? 0) > 0n);
    assert.deepEqual((await readdir(plots)).sort(), ['deviation.svg', 'gap-error.svg', 'packet-rate.svg']);
    assert.deepEqual(await readdir(temporary), [], 'nothing is left of the capture');
    const text = showReport(report);
    assert.match(text, /far end of local, far0: 540 of 540 packets arrived, in order/);
    assert.match(text, /lateness +\S+ [nµm]?s/);
  },
);

/** What arrives at the one port and is not too large leaves through the other. False where this kernel has no bridge. */
async function makeBridge(...ports: readonly string[]): Promise<boolean> {
  try {
    await runIn(SWITCH, 'ip', ['link', 'add', 'br0', 'type', 'bridge']);
  } catch {
    return false;
  }
  for (const port of ports) await runIn(SWITCH, 'ip', ['link', 'set', port, 'master', 'br0']);
  await runIn(SWITCH, 'ip', ['link', 'set', 'br0', 'up']);
  return true;
}

test(
  'each of two sensors is held against its own far end, and the bridge of one that loses large frames is found out',
  { skip },
  async (t) => {
    await namespaces(t, NS, SWITCH, 'far-end-a', 'far-end-b');
    const mtu = SMALL_MTU;
    await vethPair({ a: { ns: 'far-end-a', name: 'out0' }, b: { ns: SWITCH, name: 'in0' } });
    await vethPair({ a: { ns: NS, name: 'far-a', mtu }, b: { ns: SWITCH, name: 'out1', mtu } });
    await vethPair({ a: { ns: 'far-end-b', name: 'out0' }, b: { ns: NS, name: 'far-b' } });
    if (!(await makeBridge('in0', 'out1'))) {
      t.skip('this kernel has no bridge');
      return;
    }
    const redis = await startPrivateRedis();
    t.after(() => redis.close());
    const agents = ['a', 'b'].map((sensor) =>
      spawnIn(
        `far-end-${sensor}`,
        process.execPath,
        [program, 'replayer', '--sensor', sensor, '--interface', 'out0', '--redis', redis.url],
        { stdio: 'ignore' },
      ),
    );
    t.after(() => Promise.all(agents.map(end)));
    const report = await replay(
      ...['--dump-json', await dumpOf('set.pcap', 'second.pcap'), '--redis', redis.url],
      ...['--sensors', 'a,b', '--assign', 'a=set', '--assign', 'b=second', '--sensor-timeout', '40s'],
      ...['--verify-interface', 'far-a', '--verify-interface', 'far-b'],
    );
    assert.equal(report.totals.sent, PACKETS + 1);
    assert.deepEqual(
      report.farEnds?.map(({ sensor, interface: name, comparison, clockBound }) => [
        sensor,
        name,
        comparison.sent,
        comparison.matched,
        comparison.order.displaced,
        clockBound,
      ]),
      [
        ['a', 'far-a', PACKETS, FITTING, 0, null],
        ['b', 'far-b', 1, 1, 0, null],
      ],
    );
    assert.equal(report.farEnds[1]?.comparison.foreign, 0);
    assert.deepEqual(broken(report), ['a: far end: loss']);
    assert.equal(report.verdict.holds, false);
  },
);

test('Ctrl-C ends the capture too: what was sent is reported, and nothing is left', { skip }, async (t) => {
  await namespaces(t, NS);
  await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: NS, name: 'far0' } });
  const where = [
    '--dump-json',
    await dumpOf('set.pcap'),
    '--out-interface',
    'out0',
    '--verify-interface',
    'far0',
  ];
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

test(
  'what cannot be captured is refused, and nothing is left of a capture whose owner is killed',
  { skip },
  async (t) => {
    const usual = process.env['TMPDIR'];
    process.env['TMPDIR'] = temporary;
    t.after(() => {
      if (usual === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = usual;
    });
    await assert.rejects(captureFarEnd('gone0'), {
      code: 'far-end-failed',
      message: /capturing on gone0 failed: ./,
    });
    assert.deepEqual(await readdir(temporary), []);

    const module = import.meta.resolve('@capfleet/replayer/adapters/far-end-capture');
    const script = join(dir, 'listen.mjs');
    await writeFile(
      script,
      `import { captureFarEnd } from ${JSON.stringify(module)};
    await captureFarEnd('lo'); console.log('listening');`,
    );
    const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => owner.kill('SIGKILL'));
    await Promise.race([once(owner.stdout, 'data'), once(owner, 'exit')]);
    const [folder = ''] = await readdir(temporary);
    assert.deepEqual(await readdir(join(temporary, folder)), ['received.pcap']);
    owner.kill('SIGKILL');
    await waitFor('the folder to be removed', async () => (await readdir(temporary)).length === 0);
  },
);
