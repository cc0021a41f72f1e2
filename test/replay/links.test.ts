// `capfleet replay` through the links that a person names before an interface, over a veth pair: what arrives, what
// the report calls the link, and that the process which the link pcap needs ends with the run, and what is said without
// libpcap.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { runCapfleet } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { arrived, NEAR, nearAndFar } from '../support/near-and-far.ts';
import { stamps, type SetShape } from '../support/numbered-set.ts';
import { processesMentioning } from '../support/processes.ts';
import {
  assertAccounts,
  makeMappedSet,
  numberingOf,
  playedReport,
  runReplay,
  SHORT_LEAD,
  timelineOf,
} from '../support/replay-cli.ts';
import { startCapfleet } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = await enterNamespaces(import.meta);
const pair = nearAndFar();

const SHAPE: SetShape = { 'a.pcap': stamps(0, 100, 3), 'b.pcap': stamps(1, 100, 3) };
const TIMELINE = timelineOf(SHAPE, numberingOf(SHAPE));
const PAYLOAD = 42;
/** Of this checkout. */
const PLAY = resolve(import.meta.dirname, '../../services/replayer/dist/play-thread.js');

let set: MapPlace;
const cleanUp = lastFirst({ after });
before(async () => {
  if (skip !== false) return;
  set = await makeMappedSet(cleanUp, SHAPE);
  await pair.ready();
  cleanUp.after(() => pair.close());
});

for (const kind of ['af_packet', 'af_xdp', 'pcap']) {
  test(
    `--out-interface ${kind}:IF sends all that the filter lets through, in order, and says by what`,
    { skip },
    async () => {
      const received = await pair.listen();
      const filter = ['--out-bpf', 'udp[8:4] < 150'];
      const ended = await runReplay(set, ['--out-interface', `${kind}:${NEAR}`, '--json', ...filter]);
      const { sensors, totals } = playedReport(ended);
      assert.deepEqual([sensors[0]?.link, sensors[0]?.interface, totals.sent], [kind, NEAR, 150]);
      const numbers = (await received()).map((frame) => frame.readUInt32BE(PAYLOAD));
      assert.deepEqual(
        numbers,
        TIMELINE.filter((number) => number < 150),
      );
    },
  );
}

test(
  'a run into pcap:IF that is interrupted stops, reports what was sent, and leaves no process',
  { skip },
  async (t) => {
    const before = arrived();
    const args = [
      'replay',
      '--dump-json',
      set.dump,
      ...SHORT_LEAD,
      '--out-interface',
      `pcap:${NEAR}`,
      '--loop-infinite',
      '--json',
    ];
    const running = startCapfleet(t, args);
    await waitFor('frames at the far end', () => arrived() > before + 20);
    const [play, ...more] = await processesMentioning(PLAY);
    assert.ok(play !== undefined && more.length === 0);
    // To all of them, as a terminal does.
    process.kill(play.pid, 'SIGINT');
    running.signal('SIGINT');
    const ended = await running.ended;
    assert.equal(ended.code, 130, ended.stderr);
    const report = JSON.parse(ended.stdout) as RunReport;
    assertAccounts(report);
    assert.equal(report.outcome, 'stopped');
    await waitFor('the far end to have all', () => arrived() - before === report.totals.sent);
    await waitFor('all processes to be gone', async () => (await processesMentioning(PLAY)).length === 0);
  },
);

test('an interface that is not there is refused by its name, whatever the link', { skip }, async () => {
  const { code, stderr, stdout } = await runReplay(set, ['--out-interface', 'af_xdp:nosuch']);
  assert.equal(code, 1);
  assert.match(stdout + stderr, /no interface nosuch; there are: .*near/);
});

test('without libpcap, what needs it says so and sends nothing', { skip }, async () => {
  const before = arrived();
  // Files of its names that are no libraries are found first.
  const hiding = join(set.dir, 'hiding');
  await mkdir(hiding);
  for (const name of ['libpcap.so.0.8', 'libpcap.so.1']) await writeFile(join(hiding, name), '');
  const env = { ...process.env, LD_LIBRARY_PATH: hiding };
  const needs: [args: string[], said: RegExp][] = [
    [
      ['--out-interface', NEAR, '--out-bpf', 'udp'],
      /libpcap, which compiles filter expressions, cannot be loaded: .*libpcap[^]*leave out --out-bpf/,
    ],
    [
      ['--out-interface', `pcap:${NEAR}`],
      /the npm package pcap is not built, which the link pcap needs[^]*leave out `pcap:`/,
    ],
    [
      ['--out-interface', NEAR, '--verify-interface', 'lo'],
      /the npm package pcap, which captures, is not built: .*libpcap/,
    ],
  ];
  for (const [args, said] of needs) {
    const ended = await runCapfleet(['replay', '--dump-json', set.dump, ...SHORT_LEAD, ...args], { env });
    assert.equal(ended.code, 1, ended.stderr);
    assert.match(ended.stdout + ended.stderr, said);
    assert.doesNotMatch(ended.stdout + ended.stderr, /internal error| {4}at /);
  }
  assert.equal(arrived(), before);
});
