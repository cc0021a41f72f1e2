// Any decoder as a reader of plain bytes. A decoder goes on by small steps and adds what comes out; everything before
// damage is given before the damage is told. Memory is bounded by what one step can give.
import { Failure } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { CompressedInput, Damage } from './compressed-input.ts';

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

/** @param compressed closed with the reader */
export function decodedReader(compressed: ByteReader, path: string, decoder: Decoder): ByteReader {
  const input = new CompressedInput(compressed);
  /** Decoded bytes that are not read yet; of the first, those before `position` are. */
  const chunks: Buffer[] = [];
  let position = 0;
  let over = false;
  /** Told when what came before it has been read. */
  let failure: Failure | null = null;

  const step = async (): Promise<void> => {
    try {
      if (!(await decoder.step(input, chunks))) over = true;
    } catch (thrown) {
      if (!(thrown instanceof Damage)) throw thrown;
      decoder.close();
      failure = new Failure(
        'compression-damaged',
        { path, offset: input.position, reason: thrown.message, cut: thrown.cut ? 'yes' : 'no' },
        { cause: thrown.cause },
      );
    }
  };

  return {
    async read(target, offset, length) {
      while (chunks.length === 0) {
        if (failure) throw failure;
        if (over) return 0;
        await step();
      }
      const chunk = chunks[0] as Buffer;
      const count = chunk.copy(target, offset, position, Math.min(chunk.length, position + length));
      position += count;
      if (position === chunk.length) {
        chunks.shift();
        position = 0;
      }
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
