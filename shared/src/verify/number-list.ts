// Lists of numbers that grow by doubling: as many bytes for each number as its type takes, whatever their count.

type NumberArray = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export class NumberList<List extends NumberArray> {
  length = 0;
  readonly #make: (length: number) => List;
  #values: List;

  /** @param make an array of the type that keeps the numbers */
  constructor(make: (length: number) => List) {
    this.#make = make;
    this.#values = make(1024);
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = this.#make(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.#values[index] as number;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** A view, not a copy. */
  view(): List {
    return this.#values.subarray(0, this.length) as List;
  }
}

export const float64List = (): NumberList<Float64Array<ArrayBuffer>> =>
  new NumberList((length) => new Float64Array(length));

export const int32List = (): NumberList<Int32Array<ArrayBuffer>> =>
  new NumberList((length) => new Int32Array(length));
