// Where a mapping is written to, in one step: readers see the old one or the new one, never half of one.

export interface DumpTarget {
  /**
   * Writes the text, piece by piece, and puts it in place.
   * @throws Failure `dump-unwritable`, `dump-conflict`, `s3-…`, or what the text throws; the old dump is unchanged
   */
  commit(text: AsyncIterable<string>): Promise<void>;
}

const BLOCK_CHARACTERS = 256 * 1024;

/** The same text in pieces that are worth a write. */
export async function* inBlocks(text: AsyncIterable<string>): AsyncGenerator<string> {
  let block = '';
  for await (const piece of text) {
    block += piece;
    if (block.length < BLOCK_CHARACTERS) continue;
    yield block;
    block = '';
  }
  yield block;
}
