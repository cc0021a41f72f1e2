// Oddities that a capture may have without being useless. Each is counted with the place of its first occurrence.

export const warningKinds = [
  'cut-off-record',
  'cut-off-compression',
  'damaged-compression',
  'record-too-long',
  'record-too-short',
  'block-damaged',
  'unknown-interface',
  'too-many-interfaces',
  'trailing-bytes',
  'fraction-out-of-range',
  'captured-longer-than-wire',
  'stamp-out-of-range',
  'no-packets',
  'no-stamps',
  'no-calendar-time',
] as const;

export type WarningKind = (typeof warningKinds)[number];

export interface CaptureWarning {
  readonly kind: WarningKind;
  readonly count: number;
  /** Byte offset in the (decompressed) capture of the first occurrence. */
  readonly offset: number;
  readonly message: string;
}

/** Kinds that mean: what follows in the file could not be read. */
export const breakingKinds: ReadonlySet<WarningKind> = new Set([
  'cut-off-record',
  'cut-off-compression',
  'damaged-compression',
  'record-too-long',
  'record-too-short',
  'block-damaged',
  'unknown-interface',
  'too-many-interfaces',
]);

/** Counts warnings by kind; keeps the first of each. */
export class WarningLog {
  readonly #byKind = new Map<WarningKind, { count: number; offset: number; message: string }>();

  add(kind: WarningKind, offset: number, message: string): void {
    const known = this.#byKind.get(kind);
    if (known) known.count += 1;
    else this.#byKind.set(kind, { count: 1, offset, message });
  }

  /** Adds what was found in a stretch of the capture behind those looked at so far. */
  addAll(warnings: readonly CaptureWarning[]): void {
    for (const { kind, count, offset, message } of warnings) {
      const known = this.#byKind.get(kind);
      if (known) known.count += count;
      else this.#byKind.set(kind, { count, offset, message });
    }
  }

  list(): CaptureWarning[] {
    return [...this.#byKind].map(([kind, entry]) => ({ kind, ...entry }));
  }
}
