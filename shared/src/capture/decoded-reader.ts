// Any decoder as a reader of plain bytes. A decoder goes on by small steps and adds what comes out; everything before
// damage is given before the damage is told. Memory is bounded by what one step can give. Decoders that work on the
// event loop leave it its turns.
import { setImmediate as breathe } from 'node:timers/promises';
import { Failure } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { CompressedInput, Damage, TrailingBytes } from './compressed-input.ts';

export interface Decoder {
  /**
   * Decodes a little further and adds what comes out, which may be nothing, to `output`.
   * @returns false where all is decoded
   * @throws Damage
   */
  step(input: CompressedInput, output: Buffer[]): Promise<boolean>;
  /** Frees what the decoder holds. Idempotent. */
  close(): void;
}

/** The decoder goes on beside who reads until so many decoded bytes wait. */
const AHEAD_BYTES = 512 * 1024;
const LONGEST_TURN_MS = 4;

/** @param compressed closed with the reader */
export function decodedReader(compressed: ByteReader, path: string, decoder: Decoder): ByteReader {
  const input = new CompressedInput(compressed);
  /** Decoded bytes that are not read yet; of the first, those before `position` are. */
  const chunks: Buffer[] = [];
  let position = 0;
  let waiting = 0;
  let over = false;
  /** Told when what came before it has been read. */
  let failure: Error | null = null;
  /** The step that is under way. */
  let stepping: Promise<void> | null = null;
  let turnBegan = performance.now();

  const step = async (): Promise<void> => {
    const output: Buffer[] = [];
    try {
      if (!(await decoder.step(input, output))) over = true;
    } catch (thrown) {
      over = true;
      failure = thrown instanceof Damage ? damageOf(path, input.position, thrown) : (thrown as Error);
      decoder.close();
    }
    if (performance.now() - turnBegan > LONGEST_TURN_MS) {
      await breathe();
      turnBegan = performance.now();
    }
    for (const chunk of output) {
      chunks.push(chunk);
      waiting += chunk.length;
    }
  };
  const goOn = (): void => {
    if (stepping || over || waiting >= AHEAD_BYTES) return;
    stepping = step().then(() => {
      stepping = null;
      goOn();
    });
  };

  return {
    async read(target, offset, length) {
      while (chunks.length === 0) {
        if (!stepping && failure) throw failure;
        if (!stepping && over) return 0;
        goOn();
        await stepping;
      }
      const chunk = chunks[0] as Buffer;
      const count = chunk.copy(target, offset, position, Math.min(chunk.length, position + length));
      position += count;
      waiting -= count;
      if (position === chunk.length) {
        chunks.shift();
        position = 0;
      }
      goOn();
      return count;
    },
    get consumed() {
      return compressed.consumed;
    },
    async close() {
      over = true;
      decoder.close();
      await compressed.close();
    },
  };
}

function damageOf(path: string, offset: number, damage: Damage): Failure {
  const { message, cut, cause } = damage;
  const kind = damage instanceof TrailingBytes ? 'trailing' : cut ? 'cut' : 'damaged';
  const fields = { path, offset, reason: message, kind };
  return new Failure('compression-damaged', fields, { cause });
}
