// A replay into a network interface, and what its report says of the interface: when packets left by the kernel's own
// stamps, and whether the interface counted what was sent.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { PlayResult, RunReport } from '@capfleet/shared/contract/report';
import { runCapfleet, program, type Ended } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { numberedFrame } from '../support/frames.ts';
import { host } from '../support/hosts.ts';
import { createNamespace, linkCounters, removeNamespace, spawnIn, vethPair } from '../support/netns.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { playedReport, SHORT_LEAD } from '../support/replay-cli.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = await enterNamespaces(import.meta);
const PACKETS = 800;
const NS = 'departures';
const FAR = 'departures-far';

/** A mapped set of a packet each millisecond, and an interface `out0` in a namespace; gives the mapping. */
async function setUp(t: TestContext): Promise<string> {
  const dir = await tempDir(t);
  const conversation = {
    from: host('02:00:00:00:00:01', '10.0.0.1'),
    to: host('02:00:00:00:00:02', '10.0.0.2'),
    fromPort: 1,
    toPort: 2,
  };
  const packets = Array.from({ length: PACKETS }, (_, number) => ({
    seconds: 1_700_000_000,
    fraction: number * 1000,
    data: numberedFrame(conversation, 100, number),
  }));
  await writeFile(join(dir, 'set.pcap'), pcapFile({}, packets));
  const dump = join(dir, 'map.json');
  const mapped = await runCapfleet(['map', '--source', dir, '--file-suffix', '.pcap', '--dump-json', dump]);
  assert.equal(mapped.code, 0, mapped.stderr);
  await createNamespace(NS);
  await createNamespace(FAR);
  t.after(async () => {
    await removeNamespace(NS);
    await removeNamespace(FAR);
  });
  await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: FAR, name: 'far0' } });
  return dump;
}

function replay(dump: string, ...args: readonly string[]): Promise<Ended> {
  const command = [process.execPath, program, 'replay', '--dump-json', dump, '--out-interface', 'out0'];
  return runCapfleet([...SHORT_LEAD, ...args], {
    through: ['nsenter', `--net=/run/netns/${NS}`, '--', ...command],
  });
}

const resultOf = (report: RunReport): PlayResult => report.sensors[0]!.result!;

function counterFinding(report: RunReport): RunReport['verdict']['findings'][number] {
  const finding = report.verdict.findings.find(({ check }) => check === 'interface counters');
  assert.ok(finding);
  return finding;
}

test('every packet is stamped where all are asked for, near its hand-over', { skip }, async (t) => {
  const dump = await setUp(t);
  const { departures, lateness, interfaceCounters } = resultOf(
    playedReport(await replay(dump, '--tx-stamps', 'all', '--json')),
  );
  assert.deepEqual([departures?.asked, departures?.taken], [PACKETS, PACKETS]);
  const [left, handed] = [departures!.lateness!, lateness!];
  assert.ok(BigInt(left.p50) > 0n && BigInt(left.p50) <= BigInt(left.max));
  // What leaves within a call that ends later: the stamp is earlier, but for the histograms' buckets and the clocks.
  assert.ok(BigInt(left.p50) <= (BigInt(handed.p50) * 104n) / 100n + 20_000n, `${left.p50} ${handed.p50}`);
  assert.deepEqual(interfaceCounters, { packets: PACKETS, dropped: 0, errors: 0 });
});

test(
  'the report in words tells departures of a sample, and nothing of counters that agree',
  { skip },
  async (t) => {
    const dump = await setUp(t);
    const { stdout, stderr } = await replay(dump, '--tx-stamps', 'sample');
    assert.match(
      stdout,
      /^ {2}local: left, by \d+ transmit stamps of \d+ asked for: p50 .*, max .* after due$/m,
      stderr,
    );
    assert.doesNotMatch(stdout, /not of this run|interface counters/);
  },
);

test('packets of others at the interface meanwhile are told, and are no fault', { skip }, async (t) => {
  const dump = await setUp(t);
  const endless = ['replay', '--dump-json', dump, '--out-interface', 'out0', '--loop-infinite'];
  const others = spawnIn(NS, process.execPath, [program, ...endless], { stdio: 'ignore' });
  const ended = once(others, 'exit');
  await waitFor('the others to send', async () => (await linkCounters(FAR, 'far0')).rxPackets > 0);
  const report = playedReport(await replay(dump, '--json'));
  others.kill('SIGTERM');
  await ended;
  const finding = counterFinding(report);
  assert.equal(finding.holds, true);
  assert.ok(resultOf(report).interfaceCounters!.packets > PACKETS);
  assert.match(finding.text, /\d+ are not of this run$/);
});
