// A nanosecond pcap whose stamps are the due times of a run, from a base on. It is wholly new
// or wholly old, as every file that Capfleet writes.
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { PcapChunk } from '@capfleet/shared/capture/pcap-chunk';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import {
  formatInstant,
  fromSecondsAndNanos,
  isCalendarInstant,
  toSecondsAndNanos,
  type Nanos,
} from '@capfleet/shared/time/nanos';
import type { FrameSink } from '@capfleet/replayer/ports/frame-sink';

export interface PcapOutput {
  readonly sink: FrameSink;
  readonly packets: number;
  /** Of the frames. */
  readonly bytes: number;
  /** Stamps of the earliest and the latest packet; null before there is one. */
  readonly span: { readonly first: Nanos; readonly last: Nanos } | null;
  /** Puts the file in its place. @throws Failure `capture-unwritable`; the old file is there then */
  commit(): void;
  /** Takes back what was not committed. Idempotent. */
  discard(): void;
}

/**
 * @param base what a due time of 0 is stamped with, ns since the epoch
 * @throws Failure `capture-unwritable`; the sink throws it too, and `stamp-unwritable`
 */
export function createPcapOutput(path: string, base: Nanos): PcapOutput {
  const target = targetOf(path);
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  const attempt = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure('capture-unwritable', { path, reason: reasonOf(error) }, { cause: error });
    }
  };
  const old = attempt(() => statSync(target, { throwIfNoEntry: false }));
  if (old && !old.isFile()) {
    const reason = old.isDirectory() ? 'it is a folder' : 'it is no regular file';
    throw new Failure('capture-unwritable', { path, reason });
  }
  const handle = attempt(() => openSync(temporary, 'wx', old ? old.mode & 0o777 : 0o666));
  let isOpen = true;
  const chunk = new PcapChunk();
  let start = toSecondsAndNanos(base);
  let [packets, bytes] = [0, 0];
  // Seconds and nanoseconds, so that no packet costs a bigint.
  let [firstSeconds, firstNanos, lastSeconds, lastNanos] = [Infinity, 0, -Infinity, 0];

  const flush = (): void => {
    const taken = chunk.take();
    attempt(() => {
      for (let at = 0; at < taken.length;) at += writeSync(handle, taken, at);
    });
  };
  const close = (): void => {
    if (isOpen) closeSync(handle);
    isOpen = false;
  };

  const sink: FrameSink = {
    origin(origin) {
      start = toSecondsAndNanos(base + origin);
      return true;
    },
    frame(due, source, from, length) {
      const time = start.nanos + due;
      const whole = Math.floor(time / 1e9);
      const seconds = start.seconds + whole;
      const nanos = time - whole * 1e9;
      if (!PcapChunk.holds(seconds)) {
        const at = fromSecondsAndNanos(seconds, nanos);
        const time = isCalendarInstant(at) ? formatInstant(at) : 'a time beyond the year 9999';
        throw new Failure('stamp-unwritable', { path, time });
      }
      while (!chunk.add(seconds, nanos, source, from, length, length)) flush();
      packets += 1;
      bytes += length;
      if (seconds < firstSeconds || (seconds === firstSeconds && nanos < firstNanos))
        [firstSeconds, firstNanos] = [seconds, nanos];
      if (seconds > lastSeconds || (seconds === lastSeconds && nanos > lastNanos))
        [lastSeconds, lastNanos] = [seconds, nanos];
      return true;
    },
    commit: () => undefined,
    end: flush,
  };

  return {
    sink,
    get packets() {
      return packets;
    },
    get bytes() {
      return bytes;
    },
    get span() {
      if (packets === 0) return null;
      return {
        first: fromSecondsAndNanos(firstSeconds, firstNanos),
        last: fromSecondsAndNanos(lastSeconds, lastNanos),
      };
    },
    commit() {
      attempt(() => {
        fsyncSync(handle);
        close();
        renameSync(temporary, target);
      });
    },
    discard() {
      close();
      rmSync(temporary, { force: true });
    },
  };
}

/** A link stays, and what it points to is replaced. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
