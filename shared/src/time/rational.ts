// An exact positive ratio, as used for replay speed. Both parts stay below 2²⁶, so that the schedule's hot loop
// can multiply them with a remainder in plain numbers without losing a bit.

export interface Rational {
  readonly numerator: number;
  readonly denominator: number;
}

export const ONE: Rational = { numerator: 1, denominator: 1 };

const LIMIT = 2n ** 26n;

/** The reduced ratio, or null where it is not positive or needs more than 26 bits in a part. */
export function rational(numerator: bigint, denominator: bigint): Rational | null {
  if (numerator <= 0n || denominator <= 0n) return null;
  const divisor = greatestCommonDivisor(numerator, denominator);
  const n = numerator / divisor;
  const d = denominator / divisor;
  if (n >= LIMIT || d >= LIMIT) return null;
  return { numerator: Number(n), denominator: Number(d) };
}

/**
 * The ratio itself where it fits, else the best approximation of its continued fraction: off by less than 2⁻⁵⁰ of it
 * where both parts are near their limit. Null where it is not positive, or too large or small for any.
 */
export function nearestRational(numerator: bigint, denominator: bigint): Rational | null {
  if (numerator <= 0n || denominator <= 0n) return null;
  let [a, b] = [numerator, denominator];
  let [before, last] = [
    { n: 0n, d: 1n },
    { n: 1n, d: 0n },
  ];
  while (b !== 0n) {
    const whole = a / b;
    const next = { n: whole * last.n + before.n, d: whole * last.d + before.d };
    if (next.n >= LIMIT || next.d >= LIMIT) break;
    [before, last] = [last, next];
    [a, b] = [b, a % b];
  }
  return rational(last.n, last.d);
}

/** Reads `2`, `0.37`, `1e-3` or `1/3`; null where the text is no positive ratio that fits. */
export function parseRational(text: string): Rational | null {
  const fraction = /^(\d+)\/(\d+)$/.exec(text);
  if (fraction) return rational(BigInt(fraction[1] ?? 0), BigInt(fraction[2] ?? 0));
  const match = /^(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,2}))?$/i.exec(text);
  if (!match || text === '' || (match[1] === '' && (match[2] ?? '') === '')) return null;
  const digits = match[2] ?? '';
  const exponent = Number(match[3] ?? 0) - digits.length;
  const value = BigInt(`${match[1] ?? ''}${digits}`);
  return exponent >= 0
    ? rational(value * 10n ** BigInt(exponent), 1n)
    : rational(value, 10n ** BigInt(-exponent));
}

export function formatRational({ numerator, denominator }: Rational): string {
  const decimal = numerator / denominator;
  const exact = parseRational(String(decimal));
  return exact?.numerator === numerator && exact.denominator === denominator
    ? String(decimal)
    : `${String(numerator)}/${String(denominator)}`;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}
