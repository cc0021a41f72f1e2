// `capfleet plan`, and `capfleet replay --plan`: what is kept, what may be changed in it, and what is refused.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { plansOf, type PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { runCapfleet } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { numbersIn, stamps, type SetShape } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeMappedSet, numberingOf, playedReport, SHORT_LEAD, timelineOf } from '../support/replay-cli.ts';
import { startReplayer } from '../support/start-capfleet.ts';

const SHAPE: SetShape = {
  'x/a.pcap': stamps(0, 20, 7),
  'x/b.pcap': stamps(3, 20, 5),
  'y/c.pcap': stamps(1, 10, 9),
};
const NUMBERS = numberingOf(SHAPE);
const cleanUp = lastFirst({ after });
let set: MapPlace;
before(async () => {
  set = await makeMappedSet(cleanUp, SHAPE);
});

let plans = 0;
const path = (extension: string): string => join(set.dir, `plan-${plans++}.${extension}`);

async function makePlan(out: string, ...args: readonly string[]): Promise<PlanDocument> {
  const { code, stderr } = await runCapfleet(['plan', '--dump-json', set.dump, '--out', out, ...args]);
  assert.equal(code, 0, stderr);
  return parse(await readFile(out, 'utf8')) as PlanDocument;
}

async function writtenBy(...args: readonly string[]): Promise<Buffer> {
  const out = path('pcap');
  const { code, stderr } = await runCapfleet(['replay', '--write', out, ...args]);
  assert.equal(code, 0, stderr);
  return readFile(out);
}

describe('capfleet plan', () => {
  for (const extension of ['yaml', 'json']) {
    test(`keeps as ${extension} all that a replay is asked for, to the byte of what goes out`, async () => {
      const asked = ['--time-modifier', '0.37', '--loop-count', '2', '--file-regexp', 'x/', '--ip-map'];
      const args = [...asked, '10.0.0.0/24=10.9.0.0/24', '--out-bpf', 'udp[11] & 1 == 0'];
      const out = path(extension);
      await makePlan(out, ...args);
      assert.deepEqual(await writtenBy('--plan', out), await writtenBy('--dump-json', set.dump, ...args));
    });
  }

  test('says who would play what, on the screen and to the reader of the file, and what comes next', async () => {
    const out = path('yaml');
    const { stdout } = await runCapfleet([
      ...['plan', '--dump-json', set.dump, '--out', out, '--sensors', 'one,two', '--assign-by', 'folder'],
    ]);
    assert.match(stdout, /133 ms on the wire\none {2}2 files {2}40 packets .*\ntwo {2} 1 file {2}10 packets/);
    assert.match(stdout, new RegExp(`next: capfleet replay --plan ${out} --redis URL`));
    const text = await readFile(out, 'utf8');
    assert.match(text, /^# .*map\.json: from 2023-11-14T22:13:20\S* to \S+, 133 ms on the wire\n/);
    assert.match(text, /\n +# 2 files, 40 packets\n +- sensor: one\n/);
  });

  test('of a set that is shared by flow has its files once, and the shares in the order of its sensors', async () => {
    const out = path('yaml');
    const args = ['--sensors', 'one,two', '--assign-by', 'flow', '--flow-tunnels', 'outer'];
    const { stdout } = await runCapfleet(['plan', '--dump-json', set.dump, '--out', out, ...args]);
    assert.match(
      stdout,
      /one, two {2}3 files {2}50 packets .*\nshared by flow, each conversation on one sensor\n/,
    );
    const text = await readFile(out, 'utf8');
    assert.match(text, /\n *# 3 files, 50 packets, shared by all sensors\n *tunnels: outer\n/);
    const document = parse(text) as PlanDocument;
    assert.deepEqual(document.sensors, [{ sensor: 'one' }, { sensor: 'two' }]);
    const three = { ...document, sensors: [{ sensor: 'x' }, ...document.sensors] };
    assert.deepEqual(
      plansOf(three, out).map(({ sensor, files, share }) => [sensor, files.length, share]),
      ['x', 'one', 'two'].map((sensor, index) => [sensor, 3, { index, of: 3, tunnels: 'outer' }]),
    );
    assert.equal(plansOf({ ...document, sensors: [{ sensor: 'x' }] }, out)[0]?.share, undefined);
  });

  test('replaces a plan, and nothing else', async () => {
    const out = path('yaml');
    await makePlan(out);
    await makePlan(out, '--time-modifier', '2');
    for (const [other, said] of [
      [set.dump, /is the mapping itself/],
      [join(set.captures, 'x/a.pcap'), /is there and is no plan\n *name another file with --out/],
    ] as const) {
      const { code, stderr } = await runCapfleet(['plan', '--dump-json', set.dump, '--out', other]);
      assert.notEqual(code, 0);
      assert.match(stderr, said);
    }
  });
});

describe('a plan', () => {
  test('is played by its sensors as it was changed', async (t) => {
    const redis = await startRedis(t);
    const out = path('yaml');
    const plan = await makePlan(out, '--sensors', 'one,two', '--assign-by', 'folder');
    const [one, two] = plan.sensors;
    const moved = one?.files?.pop();
    assert.ok(two?.files && moved);
    two.files.push(moved);
    await writeFile(out, stringify(plan));
    const sent = (sensor: string): string => join(set.dir, `${sensor}.pcap`);
    await Promise.all(
      ['one', 'two'].map((sensor) =>
        startReplayer(t, redis.url, sensor, ['--interface', `file:${sent(sensor)}`]),
      ),
    );
    const ended = await runCapfleet(['replay', '--plan', out, '--redis', redis.url, ...SHORT_LEAD, '--json']);
    assert.equal(playedReport(ended).totals.sent, 50);
    assert.deepEqual(numbersIn(await readFile(sent('one'))), timelineOf(SHAPE, NUMBERS, ['x/a.pcap']));
    assert.deepEqual(
      numbersIn(await readFile(sent('two'))),
      timelineOf(SHAPE, NUMBERS, ['x/b.pcap', 'y/c.pcap']),
    );
  });

  test('for several sensors is not played from one host', async () => {
    const out = path('yaml');
    await makePlan(out, '--sensors', 'one,two');
    const { code, stderr } = await runCapfleet(['replay', '--plan', out, '--out-interface', 'null']);
    assert.equal(code, 2);
    assert.match(stderr, /is for 2 sensors, and --out-interface is for one\n.*: one, two/);
  });

  const changes: [string, (plan: PlanDocument) => unknown, RegExp][] = [
    ['without a file', () => null, /no such plan/],
    ['that is no YAML', () => '{ a', /is not a plan: .* at line 1, column \d+\n/],
    ['that is a list', () => [], /is not a plan: Invalid input: expected object, received array\n/],
    ['of nobody', (plan) => ({ ...plan, sensors: [] }), /is not a plan: sensors: /],
    ['that knows more', (plan) => ({ ...plan, spede: 1 }), /spede/],
    [
      'with a broken speed',
      (plan) => ({ ...plan, timeline: { ...plan.timeline, speed: '0' } }),
      /timeline\.speed: /,
    ],
    [
      'with files beside those shared by flow',
      (plan) => ({ ...plan, byFlow: { tunnels: 'inner', files: [] } }),
      /sensors: files stand at each sensor, or once, below byFlow/,
    ],
    [
      'without files',
      (plan) => ({ ...plan, sensors: [{ sensor: 'a' }] }),
      /sensors: files stand at each sensor/,
    ],
    [
      'of a sensor twice',
      (plan) => ({ ...plan, sensors: [...plan.sensors, { ...plan.sensors[0], files: [] }] }),
      /sensor local is there twice/,
    ],
    [
      'of a file twice',
      (plan) => ({ ...plan, sensors: [...plan.sensors, { ...plan.sensors[0], sensor: 'b' }] }),
      /a\.pcap would be played twice/,
    ],
  ];
  for (const [what, change, said] of changes) {
    test(`${what} is refused`, async () => {
      const out = path('yaml');
      const changed = change(await makePlan(path('yaml')));
      if (changed !== null) await writeFile(out, typeof changed === 'string' ? changed : stringify(changed));
      const { code, stderr } = await runCapfleet(['replay', '--plan', out, '--out-interface', 'null']);
      assert.equal(code, 1);
      assert.match(stderr, said);
    });
  }

  test('that is not there, or a folder, is refused by its name with the way out', async () => {
    const missing = path('yaml');
    for (const [plan, said] of [
      [missing, `capfleet: no such plan: ${missing}`],
      [tmpdir(), `capfleet: ${tmpdir()} is not a plan: it is a folder`],
    ] as const) {
      const { code, stderr } = await runCapfleet(['replay', '--plan', plan, '--out-interface', 'null']);
      assert.equal(code, 1);
      const [first, second] = stderr.split('\n');
      assert.equal(first, said);
      assert.match(second ?? '', /`capfleet plan`/);
    }
  });

  for (const [args, said] of [
    [['--dump-json', 'x.json', '--out-interface', 'null'], /--dump-json/],
    [['--out-interface', 'null', '--pps', '3'], /--pps.*belongs into the plan, give it to `capfleet plan`$/m],
    [['--out-interface', 'null', '--limit', '3'], /--limit.*belongs into the plan/],
    [['--sensors', 'a', '--redis', 'redis://127.0.0.1:1'], /--sensors/],
    [[], /--redis or --coordinator is needed with --plan, or else --out-interface/],
  ] as const) {
    test(`with ${args.join(' ') || 'nothing else'} is refused as usage`, async () => {
      const { code, stderr } = await runCapfleet(['replay', '--plan', 'plan.yaml', ...args]);
      assert.equal(code, 2);
      assert.match(stderr, said);
    });
  }
});
