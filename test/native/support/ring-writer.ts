/** Writes records into a pacer's ring, as the format in binding.ts has it. */
import { endianness } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  RECORD,
  RECORD_HEADER_BYTES,
  type PacerHandle,
} from '../../../services/replayer/src/native/binding.ts';
import { native } from './native.ts';

const LITTLE = endianness() === 'LE';

export interface RingWriter {
  /** Positions: bytes written and not necessarily committed; bytes consumed at the last commit. */
  readonly head: () => number;
  readonly tail: () => number;
  /** False, and nothing is written, where there is no room. `due` is ns after the origin. */
  frame(bytes: Uint8Array, due: number): boolean;
  origin(ns: bigint): boolean;
  commit(): void;
  /** Writes and commits all, waiting for room as needed. */
  feed(frames: Iterable<{ readonly bytes: Uint8Array; readonly due: number }>): Promise<void>;
}

export function ringWriter(handle: PacerHandle): RingWriter {
  const memory = native.ring(handle);
  const capacity = memory.byteLength;
  const view = new DataView(memory);
  const bytesOf = new Uint8Array(memory);
  let head = 0;
  let tail = 0;

  const header = (at: number, length: number, kind: number, due: number): void => {
    view.setUint32(at, length, LITTLE);
    view.setUint32(at + 4, kind, LITTLE);
    view.setFloat64(at + 8, due, LITTLE);
  };

  const put = (payload: Uint8Array, kind: number, due: number): boolean => {
    const size = RECORD_HEADER_BYTES + Math.ceil(payload.length / 8) * 8;
    const toEnd = capacity - (head % capacity);
    const skip = size > toEnd ? toEnd : 0;
    if (head + skip + size - tail > capacity) return false;
    if (skip >= RECORD_HEADER_BYTES) header(head % capacity, 0, RECORD.filler, 0);
    head += skip;
    const at = head % capacity;
    header(at, payload.length, kind, due);
    bytesOf.set(payload, at + RECORD_HEADER_BYTES);
    head += size;
    return true;
  };

  const commit = (): void => {
    tail = native.commit(handle, head);
  };

  return {
    head: () => head,
    tail: () => tail,
    frame: (bytes, due) => put(bytes, RECORD.frame, due),
    origin: (ns) => put(new Uint8Array(BigInt64Array.of(ns).buffer), RECORD.origin, 0),
    commit,
    async feed(frames) {
      for (const { bytes, due } of frames) {
        while (!put(bytes, RECORD.frame, due)) {
          commit();
          await sleep(0);
        }
      }
      commit();
    },
  };
}
