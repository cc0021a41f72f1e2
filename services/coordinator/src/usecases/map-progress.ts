// How far a mapping is, in files and in bytes of the files as they lie there.
import type { SourceFile } from '@capfleet/shared/source/source';

export interface MapProgress {
  readonly listed: boolean;
  readonly files: number;
  readonly filesDone: number;
  readonly bytes: number;
  readonly bytesDone: number;
}

export class MapTally {
  files = 0;
  isListed = false;
  #filesDone = 0;
  #bytes = 0;
  #bytesDone = 0;
  /** Bytes read so far of the files that take a while, by the offsets of their parts. */
  readonly #reading = new Map<string, Map<number, number>>();
  readonly #report: (progress: MapProgress) => void;

  constructor(report: (progress: MapProgress) => void) {
    this.#report = report;
  }

  listed({ size }: SourceFile): void {
    this.files += 1;
    this.#bytes += size;
    this.#tell();
  }

  listingDone(): void {
    this.isListed = true;
    this.#tell();
  }

  reading(path: string, part: number, consumed: number): void {
    const parts = this.#reading.get(path) ?? new Map<number, number>();
    this.#reading.set(path, parts.set(part, consumed));
    this.#tell();
  }

  done({ path, size }: SourceFile): void {
    this.#reading.delete(path);
    this.#filesDone += 1;
    this.#bytesDone += size;
    this.#tell();
  }

  #tell(): void {
    let partial = 0;
    for (const parts of this.#reading.values()) for (const consumed of parts.values()) partial += consumed;
    this.#report({
      listed: this.isListed,
      files: this.files,
      filesDone: this.#filesDone,
      bytes: this.#bytes,
      bytesDone: Math.min(this.#bytes, this.#bytesDone + partial),
    });
  }
}
