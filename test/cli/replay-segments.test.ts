// `capfleet replay --mtu-policy segment`: frames of segmentation offload go out as segments, the accounts add up, and
// `capfleet verify` expects the same.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { showReport } from '@capfleet/cli/show/report';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import { runCapfleet } from '../support/capfleet.ts';
import { tcpFrame, TCP_ACK, udpFrame } from '../support/frames.ts';
import { lastFirst } from '../support/last-first.ts';
import { makeMapPlace, runMap, type MapPlace } from '../support/map-cli.ts';
import { numberedConversation } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { playedReport, runReplay } from '../support/replay-cli.ts';

const LARGE = 40_000;
const MTU = ['--mtu', '1500'];
const cleanUp = lastFirst({ after });
const payload = Buffer.from(Uint8Array.from({ length: LARGE }, (_, i) => i * 11 + (i >> 8)));
let place: MapPlace;

before(async () => {
  const content = { sequence: 0xffff_0000, acknowledgement: 1, flags: TCP_ACK };
  const frames = [
    tcpFrame(numberedConversation, { ...content, payload: payload.subarray(0, 100) }),
    tcpFrame(numberedConversation, { ...content, payload }),
    udpFrame(numberedConversation, { payload: Buffer.alloc(9000) }),
  ];
  const packets = frames.map((data, index) => ({ seconds: 1_700_000_000, fraction: index * 1000, data }));
  place = await makeMapPlace(cleanUp, {}, { 'offload.pcap.gz': pcapFile({}, packets) });
  assert.equal((await runMap(place)).code, 0);
});

describe('capfleet replay --mtu-policy segment', () => {
  test('sends what the network card would have, and leaves out what cannot be split', async () => {
    const out = join(place.dir, 'out.pcap');
    const args = ['--out-interface', `file:${out}`, '--mtu-policy', 'segment', ...MTU];
    const report = playedReport(await runReplay(place, [...args, '--json']));
    const segments = Math.ceil(LARGE / 1460);
    const { read, sent, refused, segmented, segments: counted } = report.totals;
    assert.deepEqual([read, sent, refused.oversize], [segments + 2, segments + 1, 1]);
    assert.deepEqual([segmented, counted], [1, segments]);
    const found = report.verdict.findings.find(({ check }) => check === 'accounts');
    assert.match(
      found?.text ?? '',
      new RegExp(`1 split into ${segments} segments.* has ${LARGE + 54} bytes where 1514 fit`),
    );
    const complete = report.verdict.findings.find(({ check }) => check === 'complete');
    assert.deepEqual([complete?.holds, complete?.text], [true, '3 of 3 planned packets read']);
    const sentFrames = readPcap(await readFile(out)).packets.slice(1);
    assert.deepEqual(Buffer.concat(sentFrames.map(({ data }) => data.subarray(54))), payload);

    assert.match(showReport(report), /1 frame split into 28 segments/);

    const held = await runCapfleet([
      'verify',
      '--source',
      place.dump,
      '--received',
      out,
      '--mtu-policy',
      'segment',
      ...MTU,
      '--json',
    ]);
    assert.equal(held.code, 0, held.stderr);
    assert.equal((JSON.parse(held.stdout) as Comparison).matched, segments + 1);
  });

  test('without an MTU to hold frames against is refused by verify', async () => {
    const args = ['verify', '--source', place.dump, '--received', place.dump, '--mtu-policy', 'segment'];
    const { code, stderr } = await runCapfleet(args);
    assert.equal(code, 2);
    assert.match(stderr, /--mtu is needed with --mtu-policy/);
  });
});

describe('capfleet replay --mtu', () => {
  test('holds frames against it where the link takes any', async () => {
    const { code, stdout, stderr } = await runReplay(place, ['--out-interface', 'null', ...MTU]);
    assert.equal(code, 1);
    assert.match(stdout + stderr, /has a frame of 40054 bytes; null takes 1514 \(MTU 1500\)/);
    assert.match(stdout + stderr, /--mtu-policy/);
  });

  test('is no less than any host takes', async () => {
    const { code, stderr } = await runReplay(place, ['--out-interface', 'null', '--mtu', '67']);
    assert.equal(code, 2);
    assert.match(stderr, /at least 68/);
  });
});
