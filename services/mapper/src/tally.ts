// Counts packets while they go by: a whole capture, or one stretch of it to be merged with those behind. Plain numbers
// only, nothing allocated per packet.
import type { PlacedPacketReader } from '@capfleet/shared/capture/classic-pcap';
import type { PacketReader } from '@capfleet/shared/capture/packet-reader';
import type { TallyRecord } from '@capfleet/shared/contract/part-map';
import { fromSecondsAndNanos, toSecondsAndNanos, type Nanos } from '@capfleet/shared/time/nanos';

/** An instant as two plain numbers, so that it is exact in the hot loop whatever the year. */
interface Stamp {
  seconds: number;
  nanos: number;
}

type TalliedPacket = Pick<PacketReader, 'seconds' | 'nanos' | 'timed' | 'capturedLength' | 'wireLength'>;

export class Tally {
  packets = 0;
  capturedBytes = 0;
  wireBytes = 0;
  maxCaptured = 0;
  maxWire = 0;
  outOfOrder = 0;
  /** Packets without a stamp; they count in all but the times. */
  untimed = 0;
  readonly #first: Stamp = { seconds: 0, nanos: 0 };
  readonly #last: Stamp = { seconds: 0, nanos: 0 };
  readonly #earliest: Stamp = { seconds: Number.POSITIVE_INFINITY, nanos: 0 };
  readonly #latest: Stamp = { seconds: Number.NEGATIVE_INFINITY, nanos: 0 };

  /** Takes all packets in the reader's window. */
  takeWindow(reader: PacketReader): void {
    while (reader.advance()) this.take(reader);
  }

  /** Takes the packets in the reader's window whose records begin before an offset. */
  takeBefore(offset: number, reader: PlacedPacketReader): void {
    while (reader.nextOffset < offset && reader.advance()) this.take(reader);
  }

  take(packet: TalliedPacket): void {
    const { seconds, nanos, capturedLength, wireLength } = packet;
    if (packet.timed) {
      const last = this.#last;
      if (this.packets === this.untimed) set(this.#first, seconds, nanos);
      else if (isBefore(seconds, nanos, last)) this.outOfOrder += 1;
      set(last, seconds, nanos);
      lower(this.#earliest, seconds, nanos);
      raise(this.#latest, seconds, nanos);
    } else {
      this.untimed += 1;
    }
    this.packets += 1;
    this.capturedBytes += capturedLength;
    this.wireBytes += wireLength;
    if (capturedLength > this.maxCaptured) this.maxCaptured = capturedLength;
    if (wireLength > this.maxWire) this.maxWire = wireLength;
  }

  /** Adds a tally of the packets right behind those counted here. */
  append(behind: TallyRecord): void {
    if (behind.first !== null && behind.last !== null && behind.earliest !== null && behind.latest !== null) {
      const first = stampOf(behind.first);
      if (this.packets === this.untimed) set(this.#first, first.seconds, first.nanos);
      else if (isBefore(first.seconds, first.nanos, this.#last)) this.outOfOrder += 1;
      const last = stampOf(behind.last);
      set(this.#last, last.seconds, last.nanos);
      const earliest = stampOf(behind.earliest);
      lower(this.#earliest, earliest.seconds, earliest.nanos);
      const latest = stampOf(behind.latest);
      raise(this.#latest, latest.seconds, latest.nanos);
    }
    this.packets += behind.packets;
    this.untimed += behind.untimed;
    this.outOfOrder += behind.outOfOrder;
    this.capturedBytes += behind.capturedBytes;
    this.wireBytes += behind.wireBytes;
    this.maxCaptured = Math.max(this.maxCaptured, behind.maxCaptured);
    this.maxWire = Math.max(this.maxWire, behind.maxWire);
  }

  get first(): Nanos | null {
    return this.#instant(this.#first);
  }

  get last(): Nanos | null {
    return this.#instant(this.#last);
  }

  get earliest(): Nanos | null {
    return this.#instant(this.#earliest);
  }

  get latest(): Nanos | null {
    return this.#instant(this.#latest);
  }

  /** As it travels through queues and stands in a map. */
  toRecord(): TallyRecord {
    const text = (time: Nanos | null): string | null => (time === null ? null : String(time));
    return {
      packets: this.packets,
      untimed: this.untimed,
      // A hostile capture may claim more than a plain number counts.
      capturedBytes: Math.min(this.capturedBytes, Number.MAX_SAFE_INTEGER),
      wireBytes: Math.min(this.wireBytes, Number.MAX_SAFE_INTEGER),
      maxCaptured: this.maxCaptured,
      maxWire: this.maxWire,
      outOfOrder: this.outOfOrder,
      first: text(this.first),
      last: text(this.last),
      earliest: text(this.earliest),
      latest: text(this.latest),
    };
  }

  #instant(stamp: Stamp): Nanos | null {
    return this.packets === this.untimed ? null : fromSecondsAndNanos(stamp.seconds, stamp.nanos);
  }
}

function stampOf(instant: string): Stamp {
  return toSecondsAndNanos(BigInt(instant));
}

function isBefore(seconds: number, nanos: number, stamp: Stamp): boolean {
  return seconds < stamp.seconds || (seconds === stamp.seconds && nanos < stamp.nanos);
}

function set(stamp: Stamp, seconds: number, nanos: number): void {
  stamp.seconds = seconds;
  stamp.nanos = nanos;
}

function lower(bound: Stamp, seconds: number, nanos: number): void {
  if (isBefore(seconds, nanos, bound)) set(bound, seconds, nanos);
}

function raise(bound: Stamp, seconds: number, nanos: number): void {
  if (seconds < bound.seconds || (seconds === bound.seconds && nanos <= bound.nanos)) return;
  set(bound, seconds, nanos);
}
