// A quantity over time, in buckets. What is spread evenly over a stretch costs the same however many buckets it covers.

export class Curve {
  readonly #buckets: number;
  readonly #ends: Float64Array;
  readonly #steps: Float64Array;

  constructor(buckets: number) {
    this.#buckets = buckets;
    this.#ends = new Float64Array(buckets + 1);
    this.#steps = new Float64Array(buckets + 1);
  }

  /** @param from and `to` in buckets from the begin; what lies beyond the curve is lost */
  spread(from: number, to: number, amount: number): void {
    const buckets = this.#buckets;
    const density = to > from ? amount / (to - from) : 0;
    const [begin, end] = [Math.max(from, 0), Math.min(to, buckets)];
    if (begin > end) return;
    const first = Math.min(Math.floor(begin), buckets - 1);
    const last = Math.min(Math.floor(end), buckets - 1);
    if (first === last) {
      this.#add(first, density === 0 ? amount : density * (end - begin));
      return;
    }
    this.#add(first, density * (first + 1 - begin));
    this.#add(last, density * (end - last));
    this.#steps[first + 1] = (this.#steps[first + 1] ?? 0) + density;
    this.#steps[last] = (this.#steps[last] ?? 0) - density;
  }

  values(): number[] {
    let level = 0;
    return Array.from({ length: this.#buckets }, (_, bucket) => {
      level += this.#steps[bucket] ?? 0;
      return (this.#ends[bucket] ?? 0) + level;
    });
  }

  /** Whole numbers with the sum of the whole: what is rounded off goes into the next bucket. */
  counts(): number[] {
    let [sum, told] = [0, 0];
    return this.values().map((value) => {
      sum += value;
      const count = Math.max(0, Math.round(sum) - told);
      told += count;
      return count;
    });
  }

  #add(bucket: number, part: number): void {
    this.#ends[bucket] = (this.#ends[bucket] ?? 0) + part;
  }
}
