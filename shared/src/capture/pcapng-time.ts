// Stamps of a pcapng interface: 64-bit counts of a unit (if_tsresol: 10^-n or 2^-n s) from an offset (if_tsoffset).
// Conversion is exact; what is finer than a nanosecond is cut off. Units down to the nanosecond need plain numbers
// only, the others BigInt.

/** The unit where an interface does not name one: microseconds. */
export const DEFAULT_RESOLUTION = 6;
const BASE_TWO = 0x80;

export class StampClock {
  /** `us`, `ns`, `10^-N` or `2^-N`. */
  readonly unit: string;
  /** The instant that `convert` found. */
  seconds = 0;
  nanos = 0;

  /** Units of 10^-n s, n up to 9, per second; 0 for the others. */
  readonly #perSecond: number;
  readonly #nanosPerUnit: number;
  /** Whole seconds and the rest in units, of 2^48 and 2^32 units. */
  readonly #seconds48: number;
  readonly #rest48: number;
  readonly #seconds32: number;
  readonly #rest32: number;
  readonly #offset: number;
  readonly #exponent: bigint;
  readonly #baseTwo: boolean;

  /**
   * @param resolution the byte of if_tsresol
   * @param offset if_tsoffset, s
   */
  constructor(resolution = DEFAULT_RESOLUTION, offset = 0n) {
    const exponent = resolution & (BASE_TWO - 1);
    this.#baseTwo = resolution >= BASE_TWO;
    this.#exponent = BigInt(exponent);
    this.#offset = Number(offset);
    this.unit = nameOf(this.#baseTwo, exponent);
    this.#perSecond = this.#baseTwo || exponent > 9 ? 0 : 10 ** exponent;
    const unit = this.#perSecond || 1;
    this.#nanosPerUnit = 1e9 / unit;
    this.#seconds48 = Math.floor(2 ** 48 / unit);
    this.#rest48 = 2 ** 48 % unit;
    this.#seconds32 = Math.floor(2 ** 32 / unit);
    this.#rest32 = 2 ** 32 % unit;
  }

  /**
   * Sets `seconds` and `nanos` to the instant of a stamp, given as its upper and lower 32 bits.
   * @returns false where the seconds are no safe integer; they are unchanged then
   */
  convert(high: number, low: number): boolean {
    if (this.#perSecond === 0) return this.#convertBig(high, low);
    const upper = high >>> 16;
    const middle = high & 0xffff;
    // Exact: below 2^47 whatever the stamp.
    const rest = upper * this.#rest48 + middle * this.#rest32 + low;
    const carried = Math.floor(rest / this.#perSecond);
    return this.#set(
      upper * this.#seconds48 + middle * this.#seconds32 + carried,
      (rest - carried * this.#perSecond) * this.#nanosPerUnit,
    );
  }

  #convertBig(high: number, low: number): boolean {
    const count = (BigInt(high) << 32n) | BigInt(low);
    if (this.#baseTwo) {
      const seconds = count >> this.#exponent;
      const rest = count - (seconds << this.#exponent);
      return this.#set(Number(seconds), Number((rest * 1_000_000_000n) >> this.#exponent));
    }
    const nanos = count / 10n ** (this.#exponent - 9n);
    return this.#set(Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n));
  }

  #set(sinceOffset: number, nanos: number): boolean {
    const seconds = sinceOffset + this.#offset;
    if (!Number.isSafeInteger(sinceOffset) || !Number.isSafeInteger(seconds)) return false;
    this.seconds = seconds;
    this.nanos = nanos;
    return true;
  }
}

function nameOf(baseTwo: boolean, exponent: number): string {
  if (baseTwo) return `2^-${String(exponent)}`;
  return exponent === 6 ? 'us' : exponent === 9 ? 'ns' : `10^-${String(exponent)}`;
}
