/**
 * Packets with their time, as the makers of capture sets take and give them, in order and grouped by equal stamps.
 */

export interface TimedPacket {
  /** Nanoseconds since the epoch. */
  time: bigint;
  data: Uint8Array;
  wireLength?: number;
}

export type TimedPackets = Iterable<TimedPacket> | AsyncIterable<TimedPacket>;

/** A copy in order of time; equal times keep their order. Live captures are out of order by some microseconds. */
export function sortedByTime<T extends TimedPacket>(packets: readonly T[]): T[] {
  return packets.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

/** All packets that have one stamp, once it is in this unit (nanoseconds), together; throws where time runs backwards. */
export async function* moments(
  all: TimedPackets,
  unit: bigint,
): AsyncGenerator<{ time: bigint; packets: TimedPacket[] }, void, undefined> {
  let time = -1n;
  let packets: TimedPacket[] = [];
  for await (const packet of all) {
    const stamp = packet.time - (packet.time % unit);
    if (stamp < time) throw new RangeError('packets must be sorted by time');
    if (stamp > time) {
      if (packets.length > 0) yield { time, packets };
      packets = [];
      time = stamp;
    }
    packets.push(packet);
  }
  if (packets.length > 0) yield { time, packets };
}
