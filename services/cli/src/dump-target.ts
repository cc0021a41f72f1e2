// Where a mapping is written to, in one step: readers see the old one or the new one, never half of one.

export interface DumpTarget {
  /**
   * Writes all that the chunks give and puts it in place.
   * @throws Failure `dump-unwritable`, `dump-conflict`, `s3-…`, or what the chunks throw; the old dump is unchanged
   */
  commit(chunks: DumpChunks): Promise<void>;
}

export type DumpChunks = AsyncIterable<string | Buffer> | Iterable<string | Buffer>;
