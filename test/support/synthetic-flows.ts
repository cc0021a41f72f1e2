/**
 * The conversations of made traffic, each as a lazy sequence of frames with times: one UDP request and its answer,
 * a download over TCP with handshake, growing windows and acknowledgements, or a single ARP request. What is in
 * them comes from one seeded generator, so conversations must be begun in the same order to be the same.
 */
import {
  arpFrame,
  headerLength,
  tcpFrame,
  udpFrame,
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_SYN,
  type Conversation,
} from './frames.ts';
import { host, type Host } from './hosts.ts';
import { createPrng, type Prng } from './prng.ts';

export interface Step {
  /** Nanoseconds since the start of the traffic, whole, never smaller than that of the step before. */
  at: number;
  data: Buffer;
}

export interface SyntheticFlow {
  /** About so many frames. */
  count: number;
  steps: Iterable<Step>;
}

export interface World {
  prng: Prng;
  hosts: Host[];
  hosts6: Host[];
  text: Buffer;
  noise: Buffer;
  largestFrame: number;
}

const MILLISECOND = 1_000_000;

/** A third of the downloads use frames of up to `largestFrame` bytes, the others up to 1,514. */
export function makeWorld(seed: number, largestFrame: number): World {
  const prng = createPrng(seed);
  const hex = (n: number): string => n.toString(16).padStart(2, '0');
  const numbers = Array.from({ length: 40 }, (_, i) => i + 1);
  const words = [
    'GET',
    'HTTP/1.1',
    '200',
    'OK',
    'Content-Type:',
    'text/html',
    '<p>',
    '</p>',
    'the',
    'and',
    'of',
  ];
  let text = '';
  while (text.length < 65_536)
    text += prng.chance(0.4) ? `${prng.uint32().toString(36)} ` : `${prng.pick(words)} `;
  return {
    prng,
    hosts: numbers.map((n) => host(`02:00:00:00:00:${hex(n)}`, `10.1.${n % 4}.${n}`)),
    hosts6: numbers.map((n) => host(`02:00:00:00:00:${hex(n)}`, `fd00:1::${n.toString(16)}`)),
    text: Buffer.from(text.slice(0, 65_536), 'latin1'),
    noise: prng.fill(Buffer.alloc(65_536)),
    largestFrame,
  };
}

/** The next conversation, which begins at this time. */
export function makeFlow(world: World, at: number): SyntheticFlow {
  const { prng } = world;
  const kind = prng.below(100);
  if (kind < 2) {
    const [from, to] = [prng.pick(world.hosts), prng.pick(world.hosts)];
    return { count: 1, steps: [{ at: Math.round(at), data: arpFrame(from, to) }] };
  }
  const family = prng.chance(0.12) ? world.hosts6 : world.hosts;
  const conversation: Conversation = {
    from: family[prng.below(30)] as Host,
    to: family[30 + prng.below(10)] as Host,
    fromPort: prng.between(32_768, 60_999),
    toPort: kind < 70 ? prng.pick([9000, 9000, 9001, 9002]) : prng.pick([80, 443, 8080]),
    ...(prng.chance(0.08) ? { vlan: 100 } : {}),
  };
  if (kind < 70) return { count: 2, steps: exchange(world, conversation, at) };
  const segments = Math.ceil(1.15 ** prng.between(0, 42));
  return {
    count: 9 + segments + Math.ceil(segments / 2),
    steps: download(world, conversation, at, segments),
  };
}

/** One request and its answer. */
function* exchange(world: World, conversation: Conversation, start: number): Generator<Step> {
  const { prng, noise } = world;
  const content = (low: number, high: number): { payload: Buffer; identification: number } => {
    const length = prng.between(low, high);
    const from = prng.below(noise.length - length);
    return { payload: noise.subarray(from, from + length), identification: prng.below(0x1_0000) };
  };
  const at = Math.round(start);
  yield { at, data: udpFrame(conversation, content(20, 60)) };
  const answer = udpFrame(reversed(conversation), content(40, 480));
  yield { at: at + prng.between(150_000, 30 * MILLISECOND), data: answer };
}

/** A connection: handshake, request, an object in bursts of growing windows with acknowledgements, close. */
function* download(world: World, up: Conversation, start: number, segments: number): Generator<Step> {
  const { prng } = world;
  const down = reversed(up);
  const pool = up.toPort === 443 ? world.noise : world.text;
  const largest = world.largestFrame > 1514 && prng.chance(1 / 3) ? world.largestFrame : 1514;
  const room = largest - headerLength(up, 'tcp');
  const half = prng.between(200_000, 8 * MILLISECOND);
  let at = Math.round(start);
  let mine = prng.uint32();
  let theirs = prng.uint32();
  const fromClient = (flags: number, payload: Buffer = Buffer.alloc(0)): Step => {
    const data = tcpFrame(up, { payload, sequence: mine, acknowledgement: theirs, flags });
    mine = (mine + payload.length + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0)) >>> 0;
    return { at, data };
  };
  const fromServer = (flags: number, payload: Buffer = Buffer.alloc(0)): Step => {
    const data = tcpFrame(down, { payload, sequence: theirs, acknowledgement: mine, flags });
    theirs = (theirs + payload.length + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0)) >>> 0;
    return { at, data };
  };
  const slice = (length: number): Buffer => {
    const from = prng.below(pool.length - length);
    return pool.subarray(from, from + length);
  };

  yield fromClient(TCP_SYN);
  at += half;
  yield fromServer(TCP_SYN | TCP_ACK);
  at += half;
  yield fromClient(TCP_ACK);
  at += prng.between(10_000, 90_000);
  yield fromClient(TCP_ACK | TCP_PSH, slice(prng.between(80, 600)));
  at += half;
  yield fromServer(TCP_ACK);
  let left = segments;
  for (let window = 10; left > 0; window = Math.min(64, window * 2)) {
    const burst = Math.min(left, window);
    // Inside a burst either all at one stamp, or some microseconds apart.
    const distance = prng.chance(0.3) ? 0 : prng.between(1000, 12_500);
    for (let i = 0; i < burst; i++) {
      yield fromServer(
        TCP_ACK | (i === burst - 1 ? TCP_PSH : 0),
        slice(left === 1 ? prng.between(1, room) : room),
      );
      left--;
      at += distance;
    }
    at += half;
    for (let i = 0; i < burst; i += 2) {
      yield fromClient(TCP_ACK);
      at += prng.between(1000, 8000);
    }
    at += half;
  }
  yield fromServer(TCP_ACK | TCP_FIN);
  at += half;
  yield fromClient(TCP_ACK | TCP_FIN);
  at += half;
  yield fromServer(TCP_ACK);
}

function reversed({ from, to, fromPort, toPort, ...rest }: Conversation): Conversation {
  return { from: to, to: from, fromPort: toPort, toPort: fromPort, ...rest };
}
