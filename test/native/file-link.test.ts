/** What the file link writes is what was put into the ring, byte by byte, over many laps of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCase } from './support/child.ts';
import { createPacer, native } from './support/native.ts';
import { waitForState } from './support/pacer-stats.ts';
import { parsePcap } from './support/pcap.ts';
import { ringWriter } from './support/ring-writer.ts';

function newFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'capfleet-file-link-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'out.pcap');
}

/** Repeatable numbers below 2^32 (xorshift). */
function* numbers(seed: number): Generator<number, never> {
  let x = seed;
  for (;;) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield x >>> 0;
  }
}

function oddFrames(count: number, largest: number): Uint8Array[] {
  const random = numbers(20_260_401);
  return Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(random.next().value % (largest + 1));
    for (let at = 0; at < bytes.length; at++) bytes[at] = (i * 31 + at * 7) & 0xff;
    return bytes;
  });
}

for (const [largest, count] of [
  [40, 20_000],
  [1514, 5000],
  [30_000, 1000],
] as const) {
  test(`frames of 0 to ${largest} bytes arrive whole and in order over many laps`, async (t) => {
    const path = newFile(t);
    const handle = createPacer({ link: 'file', path, linkType: 1 });
    const writer = ringWriter(handle);
    const frames = oddFrames(count, largest);
    native.start(handle, native.monotonicNow());
    await writer.feed(frames.map((bytes, i) => ({ bytes, due: i })));
    native.end(handle);
    const stats = await waitForState(handle, 'done', 30_000);
    native.close(handle);
    assert.equal(stats.sentPackets, BigInt(count));
    assert.ok(writer.head() > 5 * 65_536);

    const capture = parsePcap(readFileSync(path));
    assert.equal(capture.rest, 0);
    assert.equal(capture.packets.length, count);
    for (const [i, packet] of capture.packets.entries()) assert.deepEqual(packet.bytes, frames[i]);
  });
}

test('the file is a nanosecond pcap of the link type given, stamped with the time of day', async (t) => {
  const path = newFile(t);
  const before = BigInt(Date.now() - 1) * 1_000_000n;
  const handle = createPacer({ link: 'file', path, linkType: 113 });
  const writer = ringWriter(handle);
  for (let i = 0; i < 3; i++) writer.frame(Uint8Array.of(i), i * 2_000_000);
  writer.commit();
  native.end(handle);
  native.start(handle, native.monotonicNow());
  await waitForState(handle, 'done');
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  const { magic, linkType, packets } = parsePcap(readFileSync(path));
  assert.deepEqual([magic, linkType], [0xa1b2_3c4d, 113]);
  const stamps = packets.map((packet) => packet.ns);
  assert.ok(stamps[0]! >= before && stamps[2]! <= after, `${before} ${stamps.join(' ')} ${after}`);
});

test('a frame larger than readers accept is refused as oversize', async (t) => {
  const path = newFile(t);
  const handle = createPacer({ link: 'file', path, ringBytes: 1 << 20 });
  const writer = ringWriter(handle);
  for (const length of [10, 262_145, 262_144]) assert.ok(writer.frame(new Uint8Array(length), 0));
  writer.commit();
  native.end(handle);
  native.start(handle, native.monotonicNow());
  const stats = await waitForState(handle, 'done');
  assert.deepEqual([stats.sentPackets, stats.refusedOversize, stats.lastErrno], [2n, 1n, 90n]);
  assert.deepEqual(
    parsePcap(readFileSync(path)).packets.map((packet) => packet.bytes.length),
    [10, 262_144],
  );
});

test('a disk that takes no more is a refusal with its errno, and the file ends after a whole frame', async (t) => {
  const path = newFile(t);
  process.env['CAPFLEET_TEST_FILE'] = path;
  t.after(() => delete process.env['CAPFLEET_TEST_FILE']);
  const ended = await runCase(new URL('support/file-size-limit.ts', import.meta.url), [], {
    wrapper: ['bash', '-c', 'ulimit -f 8; exec "$@"', 'limited'],
  });
  assert.equal(ended.code, 0, ended.output);
  const told = JSON.parse(ended.output);
  const { packets, rest } = parsePcap(readFileSync(path));
  assert.equal(rest, 0);
  assert.equal(packets.length, Number(told.sentPackets));
  assert.ok(packets.length > 0 && packets.length < 100);
  assert.deepEqual(
    [told.state, told.refusedOther, told.lastErrno],
    ['2', String(100 - packets.length), '27'],
  );
});
