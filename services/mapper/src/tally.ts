// Counts one capture while its packets go by. Plain numbers only, nothing allocated per packet.
import type { PacketReader } from '@capfleet/shared/capture/packet-reader';
import { fromSecondsAndNanos, type Nanos } from '@capfleet/shared/time/nanos';

/** An instant as two plain numbers, so that it is exact in the hot loop whatever the year. */
interface Stamp {
  seconds: number;
  nanos: number;
}

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
    const last = this.#last;
    while (reader.advance()) {
      const { seconds, nanos, capturedLength, wireLength } = reader;
      if (!reader.timed) {
        this.untimed += 1;
      } else {
        if (this.packets === this.untimed) {
          this.#first.seconds = seconds;
          this.#first.nanos = nanos;
        } else if (seconds < last.seconds || (seconds === last.seconds && nanos < last.nanos)) {
          this.outOfOrder += 1;
        }
        last.seconds = seconds;
        last.nanos = nanos;
        lower(this.#earliest, seconds, nanos);
        raise(this.#latest, seconds, nanos);
      }
      this.packets += 1;
      this.capturedBytes += capturedLength;
      this.wireBytes += wireLength;
      if (capturedLength > this.maxCaptured) this.maxCaptured = capturedLength;
      if (wireLength > this.maxWire) this.maxWire = wireLength;
    }
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

  #instant(stamp: Stamp): Nanos | null {
    return this.packets === this.untimed ? null : fromSecondsAndNanos(stamp.seconds, stamp.nanos);
  }
}

function lower(bound: Stamp, seconds: number, nanos: number): void {
  if (seconds > bound.seconds || (seconds === bound.seconds && nanos >= bound.nanos)) return;
  bound.seconds = seconds;
  bound.nanos = nanos;
}

function raise(bound: Stamp, seconds: number, nanos: number): void {
  if (seconds < bound.seconds || (seconds === bound.seconds && nanos <= bound.nanos)) return;
  bound.seconds = seconds;
  bound.nanos = nanos;
}
