// Instants and durations as integer nanoseconds. Instants count from the Unix epoch unless a name says
// monotonic; bigint at every boundary, never float seconds. This is the one module of conversions and texts.

export type Nanos = bigint;

export const SECOND = 1_000_000_000n;
export const MILLISECOND = 1_000_000n;
export const MICROSECOND = 1_000n;

const FIRST_CALENDAR_INSTANT = BigInt(Date.parse('0000-01-01T00:00:00Z')) * MILLISECOND;
const LAST_CALENDAR_INSTANT = BigInt(Date.parse('9999-12-31T23:59:59Z') + 1000) * MILLISECOND - 1n;

export function fromSecondsAndNanos(seconds: number, nanos: number): Nanos {
  return BigInt(seconds) * SECOND + BigInt(nanos);
}

/** Whole seconds towards minus infinity, and the rest in [0, 10⁹). */
export function toSecondsAndNanos(time: Nanos): { seconds: number; nanos: number } {
  let seconds = time / SECOND;
  let rest = time % SECOND;
  if (rest < 0n) {
    rest += SECOND;
    seconds -= 1n;
  }
  return { seconds: Number(seconds), nanos: Number(rest) };
}

/** Years 0 to 9999, as RFC 3339 can write them. */
export function isCalendarInstant(time: Nanos): boolean {
  return time >= FIRST_CALENDAR_INSTANT && time <= LAST_CALENDAR_INSTANT;
}

/** RFC 3339 in UTC with all nine digits of a second; trailing zeros are kept so that columns line up. */
export function formatInstant(time: Nanos): string {
  if (!isCalendarInstant(time))
    throw new RangeError(`instant out of the range of RFC 3339: ${String(time)} ns`);
  const { seconds, nanos } = toSecondsAndNanos(time);
  const date = new Date(seconds * 1000);
  return `${date.toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`;
}

const instantPattern = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s*(Z|z|[+-]\d\d:?\d\d)$/;

/** Reads RFC 3339 with up to nine digits of a second and any zone; null where the text is none. */
export function parseInstant(text: string): Nanos | null {
  const match = instantPattern.exec(text);
  if (!match) return null;
  const [, day = '', clock = '', fraction = '', zone = ''] = match;
  const zoneText =
    zone.toUpperCase() === 'Z' ? 'Z' : zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const milliseconds = Date.parse(`${day}T${clock}${zoneText}`);
  if (Number.isNaN(milliseconds) || !isCalendarDay(day)) return null;
  return BigInt(milliseconds) * MILLISECOND + BigInt(fraction.padEnd(9, '0'));
}

/** Date.parse turns 30 February into 1 March. */
function isCalendarDay(day: string): boolean {
  return new Date(Date.parse(`${day}T00:00:00Z`)).toISOString().startsWith(day);
}

/** A duration the way Go prints it (`1h2m3.5s`, `250µs`, `0s`): the form of `duration_human` in a mapping. */
export function formatGoDuration(duration: Nanos): string {
  if (duration === 0n) return '0s';
  const sign = duration < 0n ? '-' : '';
  const span = duration < 0n ? -duration : duration;
  if (span < MICROSECOND) return `${sign}${String(span)}ns`;
  if (span < MILLISECOND) return `${sign}${decimal(span, MICROSECOND)}µs`;
  if (span < SECOND) return `${sign}${decimal(span, MILLISECOND)}ms`;
  const hours = span / (3600n * SECOND);
  const minutes = (span / (60n * SECOND)) % 60n;
  const seconds = decimal(span % (60n * SECOND), SECOND);
  const head =
    hours > 0n ? `${String(hours)}h${String(minutes)}m` : minutes > 0n ? `${String(minutes)}m` : '';
  return `${sign}${head}${seconds}s`;
}

/** A duration for people: three significant digits and the unit that fits (`1.23 ms`, `42 µs`, `2 h 05 min`). */
export function formatDuration(duration: Nanos): string {
  const sign = duration < 0n ? '−' : '';
  const span = Number(duration < 0n ? -duration : duration);
  if (span < 1e3) return `${sign}${String(span)} ns`;
  // What would round up to 1000 of a unit is 1 of the next.
  if (span < 999.5e3) return `${sign}${three(span / 1e3)} µs`;
  if (span < 999.5e6) return `${sign}${three(span / 1e6)} ms`;
  if (span < 120e9) return `${sign}${three(span / 1e9)} s`;
  const minutes = Math.round(span / 60e9);
  if (minutes < 120) return `${sign}${String(minutes)} min`;
  return `${sign}${String(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, '0')} min`;
}

const durationPattern = /^(\d+(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h|d)$/;
const durationUnits: Readonly<Record<string, Nanos>> = {
  ns: 1n,
  us: MICROSECOND,
  µs: MICROSECOND,
  ms: MILLISECOND,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
  d: 86_400n * SECOND,
};

/** Reads `250ms`, `1.5s`, `1h30m` and the like; null where the text is no duration. */
export function parseDuration(text: string): Nanos | null {
  const parts = text.match(/\d+(?:\.\d+)?[a-zµ]+/g);
  if (parts?.join('') !== text) return null;
  let total = 0n;
  for (const part of parts) {
    const match = durationPattern.exec(part);
    const unit = durationUnits[match?.[2] ?? ''];
    if (!match || unit === undefined) return null;
    const [whole = '0', fraction = ''] = (match[1] ?? '').split('.');
    total += BigInt(whole) * unit + (BigInt(fraction.padEnd(9, '0')) * unit) / SECOND;
  }
  return total;
}

function decimal(span: bigint, unit: bigint): string {
  const fraction = String(span % unit)
    .padStart(String(unit).length - 1, '0')
    .replace(/0+$/, '');
  return fraction === '' ? String(span / unit) : `${String(span / unit)}.${fraction}`;
}

function three(value: number): string {
  return String(Number(value.toPrecision(3)));
}
