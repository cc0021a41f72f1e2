// `--out-bpf` of `capfleet replay` and `capfleet verify`, by what goes out and what is said. That filters mean what
// tcpdump takes them for is held in test/unit/replayer/adapters/libpcap.test.ts.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { runCapfleet } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps, type SetShape } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import {
  makeMappedSet,
  numberingOf,
  numbersOf,
  playedReport,
  runReplay,
  timelineOf,
} from '../support/replay-cli.ts';

const SHAPE: SetShape = { 'a.pcap': stamps(0, 30, 5), 'b.pcap': stamps(2, 30, 5) };
const TIMELINE = timelineOf(SHAPE, numberingOf(SHAPE));
/** The packet's number is the payload's first word. */
const EVEN = 'udp[8:4] % 2 = 0';
const even = TIMELINE.filter((number) => number % 2 === 0);

let set: MapPlace;
const cleanUp = lastFirst({ after });
before(async () => {
  set = await makeMappedSet(cleanUp, SHAPE);
});

describe('--out-bpf', { concurrency: 2 }, () => {
  test('sends what matches, in every loop, counts the rest, is content with that, and known to verify', async () => {
    const out = join(set.dir, 'even.pcap');
    const args = ['--loop-count', '2', '--out-bpf', EVEN];
    const ended = await runReplay(set, ['--out-interface', `file:${out}`, ...args, '--json']);
    const { totals, verdict } = playedReport(ended);
    assert.deepEqual(await numbersOf(out), [...even, ...even]);
    assert.deepEqual([totals.read, totals.sent, totals.refused.filtered], [120, 60, 60]);
    assert.equal(verdict.findings.find(({ check }) => check === 'accounts')?.holds, true);
    assert.equal(verdict.findings.find(({ check }) => check === 'complete')?.holds, true);

    const verify = ['verify', '--source', set.dump, '--received', out, '--json', '--loop-count', '2'];
    const filtered = await runCapfleet([...verify, '--out-bpf', EVEN]);
    assert.equal(filtered.code, 0, filtered.stderr);
    const { sent, matched, planned } = JSON.parse(filtered.stdout);
    assert.deepEqual([sent, matched, planned.refused.filtered], [60, 60, 60]);
    const all = await runCapfleet(verify);
    assert.equal(all.code, 4, all.stderr);
    assert.equal(JSON.parse(all.stdout).lost, 60);
  });

  test('that lets nothing through sends nothing, ends, and says that nothing went out', async () => {
    const ended = await runReplay(set, ['--out-interface', 'null', '--json', '--out-bpf', 'tcp']);
    assert.equal(ended.code, 4, ended.stderr);
    const { totals, verdict } = JSON.parse(ended.stdout) as RunReport;
    assert.deepEqual([totals.read, totals.sent, totals.refused.filtered], [60, 0, 60]);
    assert.match(verdict.findings.find(({ holds }) => !holds)?.text ?? '', /none of the 60 packets went out/);
  });

  test('gives the place in time of what is left out to nobody, and at a rate to the next; and says how many', async () => {
    const out = join(set.dir, 'rate.pcap');
    const args = ['--out-interface', `file:${out}`, '--pps', '100', '--out-bpf', EVEN];
    const { stdout } = await runReplay(set, args);
    const times = readPcap(await readFile(out)).packets.map(({ time }) => time);
    const milliseconds = Number((times.at(-1) ?? 0n) - (times[0] ?? 0n)) / 1e6;
    assert.ok(Math.abs(milliseconds - 290) < 150, `${milliseconds} ms`);
    assert.match(stdout, /30 of 60 packets sent/);
    assert.match(stdout, /local: 30 packets not sent: filtered/);
  });

  for (const command of ['replay', 'verify']) {
    test(`with a mistake in it is a usage error of ${command}, in libpcap's words`, async () => {
      const args =
        command === 'replay'
          ? ['--out-interface', 'null', '--dump-json']
          : ['--received', set.dump, '--source'];
      const ended = await runCapfleet([command, ...args, set.dump, '--out-bpf', 'tcp prot 80']);
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, /libpcap does not compile the filter "tcp prot 80": .*syntax error/);
      assert.match(ended.stderr, /man pcap-filter/);
    });
  }
});
