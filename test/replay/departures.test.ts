// A replay into a network interface, and what its report says of the interface: when packets left by the kernel's own
// stamps, and whether the interface counted what was sent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PlayResult, RunReport } from '@capfleet/shared/contract/report';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { arrived, NEAR, nearAndFar } from '../support/near-and-far.ts';
import { stamps } from '../support/numbered-set.ts';
import { makeMappedSet, playedReport, runReplay, SHORT_LEAD } from '../support/replay-cli.ts';
import { startCapfleet } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = await enterNamespaces(import.meta);
const PACKETS = 400;
const OUT = ['--out-interface', NEAR];

let set: MapPlace;
const cleanUp = lastFirst({ after });
before(async () => {
  if (skip !== false) return;
  set = await makeMappedSet(cleanUp, { 'set.pcap': stamps(0, PACKETS, 1) });
  await nearAndFar().ready();
});

const resultOf = (report: RunReport): PlayResult => report.sensors[0]!.result!;

test('every packet is stamped where all are asked for, near its hand-over', { skip }, async () => {
  const ended = await runReplay(set, [...OUT, '--tx-stamps', 'all', '--json']);
  const { departures, lateness, interfaceCounters } = resultOf(playedReport(ended));
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
  async () => {
    const { stdout, stderr } = await runReplay(set, [...OUT, '--tx-stamps', 'sample']);
    assert.match(
      stdout,
      /^ {2}local: left, by \d+ transmit stamps of \d+ asked for: p50 .*, max .* after due$/m,
      stderr,
    );
    assert.doesNotMatch(stdout, /not of this run|interface counters/);
  },
);

test('packets of others at the interface meanwhile are told, and are no fault', { skip }, async (t) => {
  const before = arrived();
  const endless = ['replay', '--dump-json', set.dump, ...OUT, ...SHORT_LEAD, '--loop-infinite'];
  const others = startCapfleet(t, endless);
  await waitFor('the others to send', () => arrived() > before, { timeout: 60_000 });
  const report = playedReport(await runReplay(set, [...OUT, '--json']));
  others.signal('SIGTERM');
  await others.ended;
  const finding = report.verdict.findings.find(({ check }) => check === 'interface counters');
  assert.equal(finding?.holds, true);
  assert.ok(resultOf(report).interfaceCounters!.packets > PACKETS);
  assert.match(finding.text, /\d+ are not of this run$/);
});
