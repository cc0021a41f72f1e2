// What the far end of a link receives of a replay that edits frames or makes too large ones fit, held against frames
// that the test made itself, and `capfleet verify` with the same options.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { runCapfleet, type Ended } from '../support/capfleet.ts';
import { assertChecksums } from '../support/edit-frames.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { tcpFrame, TCP_ACK, TCP_PSH, udpFrame, type Conversation } from '../support/frames.ts';
import { host } from '../support/hosts.ts';
import { lastFirst } from '../support/last-first.ts';
import { makeMapPlace, runMap, type MapPlace } from '../support/map-cli.ts';
import { arrived, FAR, NEAR, nearAndFar } from '../support/near-and-far.ts';
import { patterned } from '../support/patterned.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { pcapFile, type PcapRecord } from '../support/pcap-writer.ts';
import { startReceiver } from '../support/receive.ts';
import { playedReport, runReplay } from '../support/replay-cli.ts';

const skip = await enterNamespaces(import.meta);
const pair = nearAndFar();

const MAC = { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' };
const IPV4 = { from: host(MAC.from, '10.1.2.1'), to: host(MAC.to, '10.1.2.2') };
const IPV6 = { from: host(MAC.from, 'fd00:1::1'), to: host(MAC.to, 'fd00:1::2') };
const VLAN = 0x8100;
const SERVICE_VLAN = 0x88a8;
/** Of an interface with an MTU of 1,500. */
const LARGEST = 1514;

type Tag = readonly [type: number, control: number];

/** The frame with tags behind its MAC addresses, the outermost first. */
function tagged(frame: Buffer, ...tags: readonly Tag[]): Buffer {
  const bytes = Buffer.alloc(4 * tags.length);
  tags.flat().forEach((word, index) => bytes.writeUInt16BE(word, 2 * index));
  return Buffer.concat([frame.subarray(0, 12), bytes, frame.subarray(12)]);
}

interface Changes {
  readonly network4?: string;
  readonly network6?: string;
  readonly mac?: typeof MAC;
  readonly toPort?: number;
  readonly ttl?: number;
  /** Of the frames with a tag, and of those without. */
  readonly tags?: readonly Tag[];
  readonly noTags?: readonly Tag[];
}

/** UDP and TCP in IPv4 and IPv6, some with a tag. */
function conversationFrames({
  network4 = '10.1.2.',
  network6 = 'fd00:1::',
  mac = MAC,
  toPort = 80,
  ttl = 64,
  tags = [[VLAN, 0x6007]],
  noTags = [],
}: Changes = {}): Buffer[] {
  return Array.from({ length: 20 }, (_, number) => {
    const network = number % 2 === 0 ? network4 : network6;
    const conversation = {
      from: host(mac.from, `${network}1`),
      to: host(mac.to, `${network}2`),
      fromPort: 4000 + number,
      toPort,
    };
    const content = { payload: Buffer.alloc(60 + number, number), identification: number, ttl };
    const frame =
      number % 4 < 2
        ? udpFrame(conversation, content)
        : tcpFrame(conversation, { ...content, sequence: number, acknowledgement: 1, flags: TCP_ACK });
    return tagged(frame, ...(number % 5 === 3 ? tags : noTags));
  });
}

/** Linux cooked (v1), as a capture of all interfaces has them. */
function cooked(frame: Buffer): Buffer {
  const header = Buffer.from('00000001000602000000000100000000', 'hex');
  frame.copy(header, 14, 12, 14);
  return Buffer.concat([header, frame.subarray(14)]);
}

/** From one port, so that it can be told. */
function numbered(number: number, length: number, ttl?: number): Buffer {
  const payload = Buffer.alloc(length, number);
  const conversation = { ...IPV4, fromPort: number, toPort: 80 };
  return udpFrame(conversation, { payload, ...(ttl !== undefined && { ttl }) });
}

const FRAMES = conversationFrames();
const UNTAGGED = conversationFrames({ tags: [] });
const CUT_TO = 80;

const record = (data: Uint8Array, number: number, wireLength = data.length): PcapRecord => ({
  seconds: 1_700_000_000,
  fraction: number * 1000,
  data,
  wireLength,
});

/** Each as it was captured, and what is to arrive of it with the options of the test below. */
function oddities(): { captured: PcapRecord; expected: Buffer }[] {
  const ttl = 9;
  const wrong = numbered(4, 50);
  wrong[24] = 0x12;
  wrong[40] = 0x34;
  const cut = numbered(3, 300);
  const zeros = Buffer.alloc(300);
  zeros.fill(3, 0, CUT_TO - 42);
  const conversation = { ...IPV4, fromPort: 3, toPort: 80 };
  return [
    { captured: record(numbered(0, 50), 0), expected: numbered(0, 50, ttl) },
    { captured: record(tagged(numbered(1, 50), [VLAN, 7]), 1), expected: numbered(1, 50, ttl) },
    {
      captured: record(tagged(numbered(2, 50), [SERVICE_VLAN, 9], [VLAN, 7]), 2),
      expected: numbered(2, 50, ttl),
    },
    {
      captured: record(cut.subarray(0, CUT_TO), 3, cut.length),
      expected: udpFrame(conversation, { payload: zeros, ttl }),
    },
    { captured: record(wrong, 4), expected: numbered(4, 50, ttl) },
    { captured: record(numbered(5, 1600), 5), expected: numbered(5, 1600, ttl).subarray(0, LARGEST) },
  ];
}

/** Captured before the network card split them: what of, and what it carries. */
const OFFLOADED: { conversation: Conversation; tags: readonly Tag[]; payload: Buffer }[] = [
  { conversation: { ...IPV4, fromPort: 1, toPort: 80 }, tags: [], payload: patterned(40_000, 1) },
  { conversation: { ...IPV6, fromPort: 2, toPort: 80 }, tags: [], payload: patterned(20_001, 2) },
  { conversation: { ...IPV4, fromPort: 3, toPort: 80 }, tags: [[VLAN, 7]], payload: patterned(9000, 3) },
];
const FIRST_SEQUENCE = 0xffff_f000;

let place: MapPlace;
const cleanUp = lastFirst({ after });

before(async () => {
  if (skip !== false) return;
  const files: Record<string, [linkType: number, packets: readonly PcapRecord[]]> = {
    'plain.pcap': [1, FRAMES.map((frame, number) => record(frame, number))],
    'cooked.pcap': [113, UNTAGGED.map((frame, number) => record(cooked(frame), number))],
    'odd.pcap': [1, oddities().map(({ captured }) => captured)],
    'large.pcap': [1, [record(numbered(20, 1600), 20)]],
    'offload.pcap': [
      1,
      OFFLOADED.map(({ conversation, tags, payload }, number) =>
        record(
          tagged(
            tcpFrame(conversation, {
              payload,
              sequence: FIRST_SEQUENCE,
              acknowledgement: 1,
              flags: TCP_ACK | TCP_PSH,
            }),
            ...tags,
          ),
          number,
        ),
      ),
    ],
  };
  const captures: Record<string, Uint8Array> = {};
  for (const [name, [linkType, packets]] of Object.entries(files))
    captures[name] = pcapFile({ linkType }, packets);
  place = await makeMapPlace(cleanUp, {}, captures);
  const mapped = await runMap(place, ['--file-suffix', '.pcap']);
  assert.equal(mapped.code, 0, mapped.stderr);
  await pair.ready();
});

/** Plays the files of that name. */
function replay(files: string, ...args: readonly string[]): Promise<Ended> {
  const only = ['--file-regexp', `/(${files}).pcap`];
  return runReplay(place, [...only, '--out-interface', NEAR, '--json', ...args]);
}

interface Played {
  readonly report: RunReport;
  readonly frames: Buffer[];
  /** The capture of the far end. */
  readonly received: string;
}

let receivers = 0;
async function play(files: string, ...args: readonly string[]): Promise<Played> {
  const received = join(place.dir, `received-${receivers++}.pcap`);
  const receiver = await startReceiver({ iface: FAR, file: received });
  const report = playedReport(await replay(files, ...args));
  await receiver.stop();
  return { report, frames: readPcap(await readFile(received)).packets.map(({ data }) => data), received };
}

test(
  'addresses, ports, tags and TTL arrive as they were asked for, and verify knows them',
  { skip },
  async () => {
    const edits = [
      ...['--mac-src', '0a:00:00:00:00:01', '--mac-map', `${MAC.to}=0a:00:00:00:00:02`],
      ...['--ip-map', '10.0.0.0/8=172.0.0.0/8', '--ip-map', 'fd00:1::/32=2001:db8::/32'],
      ...['--port-map', '80=8080', '--vlan-map', '7=8', '--vlan-add', '42:5@8021ad', '--ttl', '-3'],
    ];
    const { frames, received } = await play('plain', ...edits);
    const outer = [SERVICE_VLAN, 0xa02a] as const;
    const expected = conversationFrames({
      network4: '172.1.2.',
      network6: '2001:db8::',
      mac: { from: '0a:00:00:00:00:01', to: '0a:00:00:00:00:02' },
      toPort: 8080,
      ttl: 61,
      tags: [outer, [VLAN, 0x6008]],
      noTags: [outer],
    });
    assert.deepEqual(frames, expected);

    const verify = ['verify', '--source', place.dump, '--received', received, '--file-regexp', 'plain'];
    const same = await runCapfleet([...verify, ...edits]);
    assert.equal(same.code, 0, same.stdout + same.stderr);
    assert.equal((await runCapfleet(verify)).code, 4);
  },
);

test(
  'what is taken off, set, padded, computed anew or cut off is so on the wire, and nothing else',
  { skip },
  async () => {
    const edits = ['--vlan-strip', '--ttl', '9', '--pktlen', '--fix-checksums'];
    const { frames, report } = await play('odd', ...edits, '--mtu-policy', 'truncate');
    assert.deepEqual(
      frames,
      oddities().map(({ expected }) => expected),
    );
    assert.deepEqual([report.totals.sent, report.totals.truncated], [frames.length, 1]);
  },
);

test('a cooked set plays with --dlt ethernet, and is refused without', { skip }, async () => {
  const before = arrived();
  const refused = await replay('cooked');
  assert.equal(refused.code, 1);
  assert.match(
    refused.stdout + refused.stderr,
    /cooked\.pcap has link type 113[^]*Ethernet[^]*--dlt ethernet/,
  );
  assert.equal(arrived(), before, 'nothing was sent');
  const { frames } = await play('cooked', '--dlt', 'ethernet', '--mac-dst', MAC.to);
  assert.deepEqual(frames, UNTAGGED);
});

test(
  'each loop has addresses of its own with --unique-ip, and none has what --skip-mtu leaves out',
  { skip },
  async () => {
    const loops = ['--unique-ip', '--loop-count', '3', '--loop-delay', '5ms'];
    const { frames, report } = await play('plain|large', ...loops, '--skip-mtu');
    assert.equal(frames.length, 60);
    assert.deepEqual(frames.slice(0, 20), FRAMES);
    frames.forEach(assertChecksums);
    const sources = frames.map((frame) => frame.toString('hex', 26, 30));
    assert.equal(new Set([sources[0], sources[20], sources[40]]).size, 3);
    assert.deepEqual([report.totals.sent, report.totals.refused.oversize], [60, 3]);
  },
);

test('frames of segmentation offload arrive as segments that fit and are right', { skip }, async () => {
  const { frames, report } = await play('offload', '--mtu-policy', 'segment');
  const { sent, refused, segmented, segments } = report.totals;
  assert.deepEqual([sent, segmented, segments], [frames.length, OFFLOADED.length, frames.length]);
  assert.deepEqual(new Set(Object.values(refused)), new Set([0]));
  frames.forEach(assertChecksums);
  let seen = 0;
  for (const { conversation, tags, payload } of OFFLOADED) {
    const start = 14 + 4 * tags.length + (conversation.from.ip.length === 4 ? 20 : 40);
    const own = frames.filter(
      (frame) => frame.length > start + 2 && frame.readUInt16BE(start) === conversation.fromPort,
    );
    seen += own.length;
    const parts = own.map((frame) => frame.subarray(start + 20));
    assert.deepEqual(Buffer.concat(parts), payload);
    let sequence = FIRST_SEQUENCE;
    for (const [index, frame] of own.entries()) {
      assert.ok(frame.length <= LARGEST + 4 * tags.length, `${frame.length} bytes`);
      assert.deepEqual(frame.subarray(0, 14 + 4 * tags.length), own[0]?.subarray(0, 14 + 4 * tags.length));
      assert.equal(frame.readUInt32BE(start + 4), sequence % 2 ** 32);
      assert.equal(frame[start + 13], index === own.length - 1 ? TCP_ACK | TCP_PSH : TCP_ACK);
      sequence += parts[index]?.length ?? 0;
    }
  }
  assert.equal(seen, frames.length);
});
