/**
 * An endless, sorted stream of made packets that looks like a small office: downloads over TCP in window-sized
 * bursts, small UDP requests and answers, a little IPv6, VLAN and ARP, pauses of up to two seconds, equal stamps
 * and microsecond distances inside bursts. One seed gives one stream; memory holds only the flows under way.
 */
import type { TimedPacket } from './capture-threads.ts';
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

export interface SyntheticTrafficOptions {
  seed: number;
  /** Exactly so many packets. */
  packets: number;
  /** Average over the whole stream, pauses included; the length of the stream follows, within some percent. */
  packetsPerSecond: number;
  /** First possible stamp, ns since the epoch. */
  start?: bigint;
  /** Stamps are multiples of 1,000 ns for `us`. */
  resolution?: 'us' | 'ns';
  /** A third of the downloads use frames of up to this many bytes, the others up to 1,514. */
  largestFrame?: number;
}

interface Step {
  /** Nanoseconds of busy time since the start of the stream. */
  at: number;
  data: Buffer;
}

interface Flow {
  id: number;
  next: Step;
  rest: Iterator<Step>;
}

interface World {
  prng: Prng;
  hosts: Host[];
  hosts6: Host[];
  text: Buffer;
  noise: Buffer;
  largestFrame: number;
}

const MILLISECOND = 1_000_000;
const SECOND = 1_000_000_000;
export const SYNTHETIC_START = 1_700_000_000_000_000_000n;
/** Part of the time that is busy; the rest is pauses. */
const BUSY = 0.65;
const LONGEST_PAUSE = 2 * SECOND;

export function* syntheticTraffic(options: SyntheticTrafficOptions): Generator<TimedPacket, void, undefined> {
  const { packets, packetsPerSecond, start = SYNTHETIC_START } = options;
  const unit = options.resolution === 'ns' ? 1 : 1000;
  const world = makeWorld(options);
  const pauses = createPrng(options.seed ^ 0x5eed);
  const perBusyNanosecond = packetsPerSecond / BUSY / SECOND;
  const flows: Flow[] = [];
  let started = 0;
  let planned = 0;
  let pausedUntilNow = 0;
  let busyUntil = pauses.between(100, 600) * MILLISECOND;
  // Pause that belongs to the busy time so far and was not made yet: pauses come seldom, some are long.
  let owed = Math.round((busyUntil * (1 - BUSY)) / BUSY);

  const startFlow = (at: number): void => {
    const { count, steps } = makeFlow(world, at);
    const rest = steps[Symbol.iterator]();
    const first = rest.next();
    planned += count;
    if (first.done !== true) pushFlow(flows, { id: started++, next: first.value, rest });
  };

  for (let sent = 0; sent < packets; sent++) {
    // A flow starts as soon as all that is planned would be used up at the wanted rate.
    while ((flows[0]?.next.at ?? Infinity) >= planned / perBusyNanosecond) startFlow(planned / perBusyNanosecond);
    const flow = flows[0] as Flow;
    const { at, data } = flow.next;
    const following = flow.rest.next();
    if (following.done === true) popFlow(flows);
    else {
      flow.next = following.value;
      siftDown(flows, 0);
    }
    while (at >= busyUntil) {
      const pause = pauses.chance(0.4) ? Math.min(owed, LONGEST_PAUSE) : 0;
      const busy = pauses.between(100, 800) * MILLISECOND;
      pausedUntilNow += pause;
      owed += Math.round((busy * (1 - BUSY)) / BUSY) - pause;
      busyUntil += busy;
    }
    const time = at + pausedUntilNow;
    yield { time: start + BigInt(time - (time % unit)), data };
  }
}

function makeWorld({ seed, largestFrame = 1514 }: SyntheticTrafficOptions): World {
  const prng = createPrng(seed);
  const hex = (n: number): string => n.toString(16).padStart(2, '0');
  const numbers = Array.from({ length: 40 }, (_, i) => i + 1);
  const words = ['GET', 'HTTP/1.1', '200', 'OK', 'Content-Type:', 'text/html', '<p>', '</p>', 'the', 'and', 'of'];
  let text = '';
  while (text.length < 65_536) text += prng.chance(0.4) ? `${prng.uint32().toString(36)} ` : `${prng.pick(words)} `;
  return {
    prng,
    hosts: numbers.map((n) => host(`02:00:00:00:00:${hex(n)}`, `10.1.${n % 4}.${n}`)),
    hosts6: numbers.map((n) => host(`02:00:00:00:00:${hex(n)}`, `fd00:1::${n.toString(16)}`)),
    text: Buffer.from(text.slice(0, 65_536), 'latin1'),
    noise: prng.fill(Buffer.alloc(65_536)),
    largestFrame,
  };
}

function makeFlow(world: World, at: number): { count: number; steps: Iterable<Step> } {
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
  return { count: 9 + segments + Math.ceil(segments / 2), steps: download(world, conversation, at, segments) };
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
      yield fromServer(TCP_ACK | (i === burst - 1 ? TCP_PSH : 0), slice(left === 1 ? prng.between(1, room) : room));
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

// A binary heap of flows by the time of their next packet, then by age.

const before = (a: Flow, b: Flow): boolean => a.next.at < b.next.at || (a.next.at === b.next.at && a.id < b.id);

function pushFlow(heap: Flow[], flow: Flow): void {
  let i = heap.push(flow) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const other = heap[parent] as Flow;
    if (!before(flow, other)) break;
    heap[i] = other;
    i = parent;
  }
  heap[i] = flow;
}

function popFlow(heap: Flow[]): void {
  const last = heap.pop() as Flow;
  if (heap.length === 0) return;
  heap[0] = last;
  siftDown(heap, 0);
}

function siftDown(heap: Flow[], from: number): void {
  const flow = heap[from] as Flow;
  let i = from;
  for (;;) {
    const left = 2 * i + 1;
    const right = left + 1;
    if (left >= heap.length) break;
    const child = right < heap.length && before(heap[right] as Flow, heap[left] as Flow) ? right : left;
    if (!before(heap[child] as Flow, flow)) break;
    heap[i] = heap[child] as Flow;
    i = child;
  }
  heap[i] = flow;
}
