// The port to where files are written: a folder or a bucket. A file is there whole or not at all, and nothing is ever
// written outside of the place. Names are relative, with `/` between their parts, as `checkName` lets them through.
import type { Writable } from 'node:stream';
import type { Nanos } from '../time/nanos.ts';

export interface SinkOptions {
  /** Kept where the place can keep it. */
  readonly mtime: Nanos | null;
  /** Bytes that it will have, or some less, where that is known: some places cut what is large in larger parts. */
  readonly size?: number;
  /** A file of that name is replaced; never a folder, and never what a link points to. */
  readonly overwrite: boolean;
}

export interface SinkFile {
  /** Takes the bytes; who writes ends it before `commit`. */
  readonly writable: Writable;
  /**
   * Puts the file in place.
   * @throws Failure `output-exists`, `output-unwritable`; nothing is left then
   */
  commit(): Promise<void>;
  /** Leaves nothing of the file. Idempotent. */
  abort(): Promise<void>;
}

export interface Sink {
  /** How a person names what is in the place. */
  pathOf(name: string): string;
  /**
   * @throws Failure `output-exists`, `output-blocked` where something else stands in the way of this one file,
   *   `output-unwritable`
   */
  create(name: string, options: SinkOptions): Promise<SinkFile>;
}
