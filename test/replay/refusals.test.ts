// What the replay refuses before anything is sent: interfaces that cannot take the set, and privileges that are
// missing. Each refusal names the thing and the way out, ends with exit code 1, and leaves the wire silent. (Link types:
// edits.test.ts.)
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { program, runCapfleet, type Ended } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { numberedFrame } from '../support/frames.ts';
import { lastFirst } from '../support/last-first.ts';
import { makeMapPlace, runMap, type MapPlace } from '../support/map-cli.ts';
import { arrived, FAR, NEAR, nearAndFar } from '../support/near-and-far.ts';
import { numberedConversation } from '../support/numbered-set.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { startRedis } from '../support/redis-server.ts';
import { playedReport, runReplay } from '../support/replay-cli.ts';
import { startCapfleet } from '../support/start-capfleet.ts';

const skip = await enterNamespaces(import.meta);
const pair = nearAndFar();
const OUT = ['--out-interface', NEAR];
/** Of the set's files: one that fits any interface, and one with a frame that is too large. */
const SMALL = ['--file-regexp', 'small'];
const LARGE = ['--file-regexp', 'large'];

let set: MapPlace;
const cleanUp = lastFirst({ after });
before(async () => {
  if (skip !== false) return;
  const capture = (...lengths: readonly number[]): Buffer =>
    pcapFile(
      {},
      lengths.map((length, number) => ({
        seconds: 1_700_000_000,
        fraction: number,
        data: numberedFrame(numberedConversation, length, number),
      })),
    );
  const files = {
    'small.pcap': capture(60, 1000),
    'large.pcap': capture(60, 3000),
  };
  set = await makeMapPlace(cleanUp, {}, files);
  const mapped = await runMap(set, ['--file-suffix', '.pcap']);
  assert.equal(mapped.code, 0, mapped.stderr);
});

let arrivedBefore = 0;
async function setUp(): Promise<void> {
  await pair.ready();
  arrivedBefore = arrived();
}

async function assertRefused(ended: Ended, ...said: readonly RegExp[]): Promise<void> {
  assert.equal(ended.code, 1, `${ended.stdout}\n${ended.stderr}`);
  for (const pattern of said) assert.match(ended.stdout + ended.stderr, pattern);
  assert.doesNotMatch(ended.stdout + ended.stderr, /internal error| {4}at /);
  assert.equal(arrived(), arrivedBefore, 'nothing was sent');
}

test('an interface that is not there is refused, and those that are there are named', { skip }, async () => {
  await setUp();
  await assertRefused(
    await runReplay(set, [...SMALL, '--out-interface', 'eth77']),
    /no interface eth77/,
    new RegExp(NEAR),
    /--out-interface/,
  );
});

test('an interface that is down is refused with the command that brings it up', { skip }, async () => {
  await setUp();
  await pair.change(`link set dev ${NEAR} down`);
  await assertRefused(await runReplay(set, [...SMALL, ...OUT]), /near is down/, /ip link set near up/);
});

test(
  'a frame larger than the interface takes is refused with its file, its size and the MTU it needs, with which it plays',
  { skip },
  async () => {
    await setUp();
    await assertRefused(
      await runReplay(set, [...LARGE, ...OUT]),
      /large\.pcap has a frame of 3000 bytes; near takes 1514 \(MTU 1500\)/,
      /ip link set near mtu 2986/,
    );
    await pair.change(`link set dev ${NEAR} mtu 2986`, `link set dev ${FAR} mtu 2986`);
    playedReport(await runReplay(set, [...LARGE, ...OUT, '--json']));
    assert.equal(arrived(), arrivedBefore + 2);
  },
);

test('an interface with the default route is refused unless it is allowed', { skip }, async (t) => {
  await setUp();
  t.after(() => pair.remove());
  await pair.change(`address add 10.9.9.1/24 dev ${NEAR}`, 'route add default via 10.9.9.2');
  await assertRefused(
    await runReplay(set, [...SMALL, ...OUT]),
    /default route/,
    /--allow-default-route-interface/,
  );
  playedReport(await runReplay(set, [...SMALL, ...OUT, '--allow-default-route-interface', '--json']));
  assert.equal(arrived(), arrivedBefore + 2);
});

test(
  'an agent does not send into the default route’s interface without its own permission, neither at its start nor later',
  { skip },
  async (t) => {
    await setUp();
    t.after(() => pair.remove());
    const redis = await startRedis(t);
    const start = ['replayer', '--redis', redis.url, '--sensor', 'one', '--interface', NEAR];
    const played = ['--redis', redis.url, '--sensors', 'one', '--allow-default-route-interface', '--json'];
    const agent = startCapfleet(t, start);
    await agent.says('replayer ready');
    for (const [add, remove] of [
      [['address add 10.9.9.1/24 dev near', 'route add default via 10.9.9.2'], ['route del default']],
      [['route add ::/0 dev near'], ['route del ::/0 dev near']],
    ] as const) {
      await pair.change(...add);
      await assertRefused(await runReplay(set, [...SMALL, ...played]), /sensor-default-route/);
      const late = await startCapfleet(t, start).ended;
      assert.equal(late.code, 1, late.stderr);
      assert.match(late.stderr, /near carries the default route.*\n.*--allow-default-route-interface/);
      await pair.change(...remove);
    }
    await pair.change('route add default via 10.9.9.2');
    agent.signal('SIGTERM');
    await agent.ended;
    const allowed = startCapfleet(t, [...start, '--allow-default-route-interface']);
    await allowed.says('replayer ready');
    playedReport(await runReplay(set, [...SMALL, ...played]));
    assert.equal(arrived(), arrivedBefore + 2);
    allowed.signal('SIGTERM');
    await allowed.ended;
  },
);

test(
  'without the right to open raw sockets the replay is refused and says how to get it',
  { skip },
  async () => {
    await setUp();
    const dropped = ['setpriv', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--'];
    await assertRefused(
      await runCapfleet(['replay', '--dump-json', set.dump, ...SMALL, ...OUT], {
        through: [...dropped, process.execPath, program],
      }),
      /not allowed to send raw packets on near/,
      /cap_net_raw/,
    );
  },
);
