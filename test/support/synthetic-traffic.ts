/**
 * An endless, sorted stream of made packets that looks like a small office: downloads over TCP in window-sized
 * bursts, small UDP requests and answers, a little IPv6, VLAN and ARP, pauses of up to two seconds, equal stamps
 * and microsecond distances inside bursts. One seed gives one stream; memory holds only the flows under way.
 */
import { createPrng } from './prng.ts';
import { makeFlow, makeWorld, type Step } from './synthetic-flows.ts';
import { createTimeQueue } from './time-queue.ts';
import type { TimedPacket } from './timed-packets.ts';

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

interface Running {
  next: Step;
  rest: Iterator<Step>;
}

const MILLISECOND = 1_000_000;
const SECOND = 1_000_000_000;
const SYNTHETIC_START = 1_700_000_000_000_000_000n;
/** Part of the time that is busy; the rest is pauses. */
const BUSY = 0.65;
const LONGEST_PAUSE = 2 * SECOND;

export function* syntheticTraffic(options: SyntheticTrafficOptions): Generator<TimedPacket, void, undefined> {
  const { packets, packetsPerSecond, start = SYNTHETIC_START } = options;
  const unit = options.resolution === 'ns' ? 1 : 1000;
  const world = makeWorld(options.seed, options.largestFrame ?? 1514);
  const pauses = createPrng(options.seed ^ 0x5eed);
  const perBusyNanosecond = packetsPerSecond / BUSY / SECOND;
  const running = createTimeQueue<Running>();
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
    if (first.done !== true) running.push(first.value.at, { next: first.value, rest });
  };

  for (let sent = 0; sent < packets; sent++) {
    // A flow starts as soon as all that is planned would be used up at the wanted rate.
    for (let at = planned / perBusyNanosecond; running.firstTime() >= at; at = planned / perBusyNanosecond) {
      startFlow(at);
    }
    const flow = running.first();
    const { at, data } = flow.next;
    const following = flow.rest.next();
    if (following.done === true) running.removeFirst();
    else {
      flow.next = following.value;
      running.moveFirst(flow.next.at);
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
