// The port through which capture bytes arrive: pulled, so that memory is bounded by who reads.

export interface ByteReader {
  /**
   * Reads up to `length` bytes into `target` at `offset`.
   * @returns bytes read; 0 only at the end. Never called again before it has resolved.
   * @throws Failure `compression-damaged` (after everything before the damage was delivered), `read-failed` …
   */
  read(target: Buffer, offset: number, length: number): Promise<number>;
  /** Bytes taken from the file so far (compressed bytes where the file is compressed). */
  readonly consumed: number;
  /** Frees the file. Idempotent; a read that is under way ends in any way, and nobody waits for it. */
  close(): Promise<void>;
}

/** Fills `target` from its start; resolves with fewer bytes only at the end. */
export async function readFully(reader: ByteReader, target: Buffer): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const count = await reader.read(target, filled, target.length - filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** Reads what there is, up to so many bytes, and closes. */
export async function readWhole(reader: ByteReader, most: number): Promise<Buffer> {
  try {
    const bytes = Buffer.allocUnsafeSlow(most);
    return bytes.subarray(0, await readFully(reader, bytes));
  } finally {
    await reader.close();
  }
}

/** A reader that gives `head` first and then what is left in `rest`. */
export function prepend(head: Buffer, rest: ByteReader): ByteReader {
  let position = 0;
  return {
    read(target, offset, length) {
      if (position >= head.length) return rest.read(target, offset, length);
      const count = head.copy(target, offset, position, Math.min(head.length, position + length));
      position += count;
      return Promise.resolve(count);
    },
    get consumed() {
      return rest.consumed;
    },
    close: () => rest.close(),
  };
}

/** A reader of bytes that are there already. */
export function fromBytes(bytes: Buffer): ByteReader {
  let position = 0;
  return {
    read(target, offset, length) {
      const count = bytes.copy(target, offset, position, Math.min(bytes.length, position + length));
      position += count;
      return Promise.resolve(count);
    },
    get consumed() {
      return position;
    },
    close: () => Promise.resolve(),
  };
}
