// Filters as libpcap compiles and the replayer applies them, held against tcpdump with the same expression, over made
// traffic and over real captures.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compileFilter } from '@capfleet/replayer/adapters/libpcap';
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import { bpfProgramSchema } from '@capfleet/shared/bpf/program';
import { Failure } from '@capfleet/shared/errors/failure';
import {
  arpFrame,
  ipv4Fragments,
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_SYN,
  tcpFrame,
  udpFrame,
  type Conversation,
} from '../../../support/frames.ts';
import { host } from '../../../support/hosts.ts';
import { lastFirst } from '../../../support/last-first.ts';
import { patterned } from '../../../support/patterned.ts';
import { readPcap } from '../../../support/pcap-reader.ts';
import { pcapFile } from '../../../support/pcap-writer.ts';
import { realCaptures } from '../../../support/real-captures.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const EXPRESSIONS = [
  '',
  'ip',
  'ip6',
  'arp',
  'not ip and not ip6',
  'tcp',
  'udp',
  'tcp or udp',
  'icmp or icmp6',
  'vlan',
  'vlan 7',
  'vlan and tcp',
  'vlan 7 and udp port 53',
  'vlan and vlan',
  'not vlan',
  'port 53',
  'src port 53',
  'dst port 80',
  'tcp port 80 or tcp port 443',
  'port 53 or vlan 7',
  'portrange 1000-2000',
  'tcp portrange 1-1023',
  'src portrange 40000-65535',
  'host 10.0.0.1',
  'src host 10.0.0.1',
  'dst host 10.0.0.2',
  'host 10.0.0.1 and host 10.0.0.2',
  'net 10.0.0.0/24',
  'src net 10.0.1.0/24',
  'dst net 192.168.0.0 mask 255.255.0.0',
  'not net 10.0.0.0/8',
  'host fd00::1',
  'ip6 src host fd00::1',
  'ip6 net fd00::/64',
  'ip6 and udp',
  'ether host 02:00:00:00:00:01',
  'ether src 02:00:00:00:00:02',
  'ether broadcast',
  'ether multicast',
  'ip multicast',
  'ether proto 0x0806',
  'ip proto 17',
  'ip6 proto 6',
  'less 100',
  'greater 500',
  'len > 64 and len <= 200',
  'tcp[tcpflags] & tcp-syn != 0',
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  'tcp[tcpflags] == tcp-syn',
  'tcp[tcpflags] & tcp-push != 0 and tcp[4:4] > 1000',
  'tcp[2:2] = 80',
  'ip[6:2] & 0x1fff != 0',
  'ip[6] & 0x20 != 0',
  'ip[0] & 0xf > 5',
  'udp[8:4] % 7 == 3',
  'udp[4:2] / 2 > 50',
  'ether[0] & 1 = 0 and ether[12:2] >= 1536',
  'udp[len - 60] & 3 != 0',
  'ip[2:2] * 3 - 5 > 700',
  '(ip[8] << 2) >> 1 = 128',
  '(tcp[13] | 1) ^ 3 = 18',
  'tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420',
  'ip6 or vlan 8',
  'ip host 10.0.0.1 and (tcp port 80 or udp port 53) and not less 60',
];

/** Made of every kind that the expressions tell apart. */
function madeFrames(): Buffer[] {
  const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.1.9'].map((ip, i) => host(`02:00:00:00:00:0${i + 1}`, ip));
  const [d, e] = ['fd00::1', 'fd00:0:0:1::2'].map((ip, i) => host(`02:00:00:00:00:0${i + 6}`, ip));
  const outside = host('03:00:00:00:00:09', '192.168.4.4');
  const everyone = host('ff:ff:ff:ff:ff:ff', '255.255.255.255');
  const conversations: Conversation[] = [
    { from: a!, to: b!, fromPort: 40_000, toPort: 80 },
    { from: b!, to: a!, fromPort: 443, toPort: 1500 },
    { from: c!, to: outside, fromPort: 53, toPort: 53 },
    { from: a!, to: b!, fromPort: 1234, toPort: 53, vlan: 7 },
    { from: c!, to: a!, fromPort: 5000, toPort: 22, vlan: 8 },
    { from: d!, to: e!, fromPort: 60_000, toPort: 443 },
    { from: e!, to: d!, fromPort: 53, toPort: 2000, vlan: 7 },
    { from: a!, to: everyone, fromPort: 68, toPort: 67 },
  ];
  const frames: Buffer[] = [arpFrame(a!, b!), Buffer.alloc(14), patterned(33, 3), Buffer.alloc(0)];
  for (const [i, conversation] of conversations.entries()) {
    for (const length of [0, 3, 40, 120, 700]) {
      frames.push(udpFrame(conversation, { payload: patterned(length, i), identification: length }));
      const payload = length === 40 ? Buffer.from('GET / HTTP/1.1\r\n\r\n') : patterned(length, i);
      for (const flags of [TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK | TCP_PSH, TCP_FIN | TCP_ACK]) {
        frames.push(tcpFrame(conversation, { payload, flags, sequence: length * 997, acknowledgement: i }));
      }
    }
  }
  const large = udpFrame(conversations[2]!, { payload: patterned(1400) });
  frames.push(...ipv4Fragments(large, 512));
  // A header with options, a second tag, and frames that end within a header.
  const odd = Buffer.from(frames[10]!);
  odd[14] = 0x47;
  const tag = Buffer.from('81000007', 'hex');
  frames.push(odd, Buffer.concat([large.subarray(0, 12), tag, tag, large.subarray(12)]));
  for (let end = 12; end < 60; end += 5) frames.push(Buffer.from(frames[30]!.subarray(0, end)));
  return frames;
}

interface Packet {
  data: Buffer;
  wireLength: number;
}

function tcpdump(file: string, expression: string, limit: readonly string[] = []): Packet[] {
  const args = ['-r', file, '-w', '-', ...limit, '--', expression];
  const { status, stdout, stderr } = spawnSync('tcpdump', args, { maxBuffer: 64 << 20 });
  assert.equal(status, 0, stderr.toString());
  return readPcap(stdout).packets;
}

/** Some of each real capture of Ethernet frames. */
function realPackets(): Packet[] {
  const real = realCaptures();
  if (typeof real === 'string') {
    process.stderr.write(`made traffic only, ${real}\n`);
    return [];
  }
  return real
    .filter(({ compression, header, truth }) => {
      const isPlain = compression === null && header.format === 'pcap' && header.network === 1;
      return isPlain && truth.status === 'ok';
    })
    .flatMap(({ path }) => tcpdump(path, '', ['-c', '200']));
}

const refusing = (code: string, message: RegExp) => (thrown: unknown) => {
  assert.ok(thrown instanceof Failure);
  assert.equal(thrown.code, code);
  assert.match(thrown.message, message);
  return true;
};

describe('a filter expression', () => {
  let file: string;
  let all: Packet[];
  const cleanUp = lastFirst({ after });
  before(async () => {
    file = join(await tempDir(cleanUp), 'all.pcap');
    const made = madeFrames().map((data) => ({ data, wireLength: data.length }));
    const records = [...made, ...realPackets()].map((packet, i) => ({ seconds: i, fraction: 0, ...packet }));
    await writeFile(file, pcapFile({}, records));
    all = tcpdump(file, '');
  });

  for (const expression of EXPRESSIONS) {
    test(`"${expression}" lets through what tcpdump lets through`, () => {
      const { program } = compileFilter(expression);
      assert.deepEqual(bpfProgramSchema.parse(program), program);
      const filter = new BpfFilter(program);
      // Of a frame that was cut off tcpdump takes the length that it had.
      const whole = ({ data, wireLength }: Packet): boolean => data.length === wireLength;
      const ours = all
        .filter(whole)
        .map(({ data }) => data)
        .filter((data) => filter.matches(data, 0, data.length));
      const theirs = tcpdump(file, expression)
        .filter(whole)
        .map(({ data }) => data);
      assert.equal(ours.length, theirs.length);
      assert.ok(Buffer.concat(ours).equals(Buffer.concat(theirs)), 'other frames');
    });
  }

  test('is of use in these tests: each but one or two tells some frame from another', () => {
    const verdicts = EXPRESSIONS.map((expression) => {
      const filter = new BpfFilter(compileFilter(expression).program);
      return all.filter(({ data }) => filter.matches(data, 0, data.length)).length;
    });
    const idle = EXPRESSIONS.filter((_, i) => verdicts[i] === 0);
    assert.ok(idle.length <= 2, idle.join('; '));
  });

  const refused: [expression: string, why: RegExp][] = [
    ['tcp prot 80', /filter "tcp prot 80": .*syntax error/],
    ['host no-such-host.invalid', /unknown host 'no-such-host.invalid'/],
    ['port http-or-so', /unknown port 'http-or-so'/],
    ['ip6 and arp', /expression rejects all packets/],
    ['net 10.0.0.1/8', /non-network bits set/],
    ['tcp[0:3] = 1', /data size must be 1, 2, or 4/],
    ['ip6 protochain 6', /it needs a loop, as protochain does/],
    ['ip protochain 17', /it needs a loop/],
    ['ip broadcast', /netmask not known/],
    ['inbound', /what is not in a frame/],
    ['(ip', /syntax error/],
  ];
  for (const [expression, why] of refused) {
    test(`"${expression}" is refused, with what libpcap says`, () => {
      assert.throws(() => compileFilter(expression), refusing('bpf-invalid', why));
    });
  }

  test('with a NUL is refused', () => {
    assert.throws(() => compileFilter('ip\0'), TypeError);
  });
});
