// What did not go as asked while a tarball was extracted: all of it counted by cause, the first ones kept by name, so
// that a tarball of a million hostile members takes no memory of that size.

export type TroubleKind = 'refused' | 'exists' | 'renamed' | 'cut off';

export interface Trouble {
  readonly kind: TroubleKind;
  readonly name: string;
  readonly reason: string;
}

const MOST_KEPT = 1000;

export class TroubleLog {
  readonly kept: Trouble[] = [];
  total = 0;
  readonly #counts = new Map<TroubleKind, number>();

  add(kind: TroubleKind, name: string, reason: string): void {
    this.total += 1;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    if (this.kept.length < MOST_KEPT) this.kept.push({ kind, name, reason });
  }

  get counts(): [kind: TroubleKind, count: number][] {
    return [...this.#counts];
  }

  /** Something that was asked for is not there, or not whole. */
  get loses(): boolean {
    return this.counts.some(([kind]) => kind !== 'renamed');
  }
}
