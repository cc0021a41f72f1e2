// How a data set lies in time, boiled down to a size that does not grow with it: per lane when it wrote and how many
// packets, its pauses, and how many lanes wrote at once. Pure; a file costs the same however long it is.
import { MOST_TIMELINE_LANES, TIMELINE_BUCKETS, type SetTimeline } from '@capfleet/shared/contract/api';
import { gapsBetween, overlaps, runTogether, type Overlap } from '@capfleet/shared/dataset/lane-timeline';
import { compareSpans, inferLanes, type Span } from '@capfleet/shared/dataset/lanes';
import { formatInstant, SECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { Curve } from './curve.ts';

/** Of a file with packets, what its picture needs. */
export interface FileOnTimeline extends Span {
  readonly packets: number;
  readonly capturedBytes: number;
  readonly wireBytes: number;
  readonly outOfOrder: number;
}

/** What the store keeps: the finest picture there is. */
export type TimelinePicture = Omit<SetTimeline, 'set' | 'kept'>;
type Lane = TimelinePicture['shown'][number];

/** Pauses up to this long are none, as in `capfleet lanes`. */
const LEAST_PAUSE: Nanos = SECOND;
const MOST_PAUSES = 20;
const MOST_OVERLAPS = 100;
const SHARE_DIGITS = 1000;

/** @param files in any order; they are sorted in place */
export function drawTimeline(files: FileOnTimeline[]): TimelinePicture {
  files.sort(compareSpans);
  const [first] = files;
  if (!first) return emptyPicture;
  const latest = files.reduce((most, file) => (file.latest > most ? file.latest : most), first.latest);
  const frame = frameOf(first.earliest, latest);
  const numbers = inferLanes(files);
  const byLane = Map.groupBy(files, (_, index) => numbers[index] ?? 0);
  const all = new Curve(frame.buckets);
  for (const file of files) spread(all, frame, file, file.packets);
  const shown: LaneTally[] = [];
  const others = new LaneTally(frame, null);
  const written: { spans: Span[] }[] = [];
  for (const [lane, own] of [...byLane].sort(([a], [b]) => a - b)) {
    const tally = lane < MOST_TIMELINE_LANES ? new LaneTally(frame, lane) : others;
    if (tally !== others) shown.push(tally);
    const spans = runTogether(own, LEAST_PAUSE);
    for (const file of own) tally.add(file);
    for (const span of spans) tally.wrote(span);
    for (const gap of gapsBetween(spans)) tally.paused(gap);
    written.push({ spans });
  }
  return {
    beginning: formatInstant(first.earliest),
    end: formatInstant(latest),
    laneCount: byLane.size,
    bucket: frame.width,
    packets: all.counts(),
    shown: shown.map((lane) => lane.end()),
    others: byLane.size > shown.length ? others.end() : null,
    overlaps: timeByLanes(overlaps(written)),
  };
}

/**
 * The same picture with fewer buckets and lanes.
 * @param lanes those of them that are shown one by one
 * @param buckets at most; what divides the finest picture evenly is taken
 */
export function coarsen(picture: TimelinePicture, lanes: number, buckets: number): TimelinePicture {
  const joined = Array.from({ length: TIMELINE_BUCKETS }, (_, index) => index + 1).find(
    (each) => TIMELINE_BUCKETS % each === 0 && TIMELINE_BUCKETS / each <= buckets,
  );
  const by = picture.packets.length === TIMELINE_BUCKETS ? (joined ?? 1) : 1;
  const coarse = (lane: Lane): Lane => ({
    ...lane,
    packetsOver: joinBuckets(lane.packetsOver, by, 1),
    writtenOver: joinBuckets(lane.writtenOver, by, by),
  });
  const rest = picture.shown.slice(lanes);
  const others = [...rest, ...(picture.others ? [picture.others] : [])].reduce<Lane | null>(
    (sum, lane) => (sum ? addLanes(sum, lane) : { ...lane, lane: null }),
    null,
  );
  return {
    ...picture,
    bucket: picture.bucket * by,
    packets: joinBuckets(picture.packets, by, 1),
    shown: picture.shown.slice(0, lanes).map(coarse),
    others: others && coarse(others),
  };
}

const emptyPicture: TimelinePicture = {
  beginning: null,
  end: null,
  laneCount: 0,
  bucket: 0,
  packets: [],
  shown: [],
  others: null,
  overlaps: [],
};

/** The set's time in buckets; offsets from its begin are plain numbers of ns, exact enough for a picture. */
interface Frame {
  readonly origin: Nanos;
  readonly buckets: number;
  readonly width: number;
}

function frameOf(origin: Nanos, end: Nanos): Frame {
  const length = Number(end - origin);
  return length === 0
    ? { origin, buckets: 1, width: 1 }
    : { origin, buckets: TIMELINE_BUCKETS, width: length / TIMELINE_BUCKETS };
}

function spread(curve: Curve, { origin, width }: Frame, { earliest, latest }: Span, amount: number): void {
  curve.spread(Number(earliest - origin) / width, Number(latest - origin) / width, amount);
}

class LaneTally {
  readonly #frame: Frame;
  readonly #lane: number | null;
  readonly #packets: Curve;
  readonly #written: Curve;
  readonly #longest: Span[] = [];
  #span: Span | null = null;
  #pauses = 0;
  #files = 0;
  #packetCount = 0;
  #capturedBytes = 0;
  #wireBytes = 0;
  #outOfOrder = 0;

  constructor(frame: Frame, lane: number | null) {
    this.#frame = frame;
    this.#lane = lane;
    this.#packets = new Curve(frame.buckets);
    this.#written = new Curve(frame.buckets);
  }

  add(file: FileOnTimeline): void {
    this.#files += 1;
    this.#packetCount += file.packets;
    this.#capturedBytes += file.capturedBytes;
    this.#wireBytes += file.wireBytes;
    if (file.outOfOrder > 0) this.#outOfOrder += 1;
    spread(this.#packets, this.#frame, file, file.packets);
    const known = this.#span ?? file;
    this.#span = {
      earliest: known.earliest,
      latest: file.latest > known.latest ? file.latest : known.latest,
    };
  }

  wrote(span: Span): void {
    const buckets = Number(span.latest - span.earliest) / this.#frame.width;
    spread(this.#written, this.#frame, span, buckets);
  }

  paused(gap: Span): void {
    this.#pauses += 1;
    this.#longest.push(gap);
    if (this.#longest.length > 2 * MOST_PAUSES) this.#forgetShort();
  }

  end(): Lane {
    this.#forgetShort();
    const span = this.#span ?? { earliest: this.#frame.origin, latest: this.#frame.origin };
    const packetsOver = this.#packets.counts();
    return {
      lane: this.#lane,
      files: this.#files,
      packets: this.#packetCount,
      capturedBytes: this.#capturedBytes,
      wireBytes: this.#wireBytes,
      outOfOrderFiles: this.#outOfOrder,
      beginning: formatInstant(span.earliest),
      end: formatInstant(span.latest),
      packetsOver,
      // A single instant, and what is too short for a share, is to be seen none the less.
      writtenOver: this.#written.values().map((value, bucket) => {
        const share = Math.round(Math.min(1, value) * SHARE_DIGITS) / SHARE_DIGITS;
        return share <= 0 && (packetsOver[bucket] ?? 0) > 0 ? 1 / SHARE_DIGITS : Math.max(0, share);
      }),
      pauses: this.#pauses,
      longestPauses: this.#longest.map(({ earliest, latest }) => ({
        from: formatInstant(earliest),
        to: formatInstant(latest),
        length: String(latest - earliest),
      })),
    };
  }

  #forgetShort(): void {
    this.#longest.sort((a, b) => Number(b.latest - b.earliest - (a.latest - a.earliest)));
    this.#longest.splice(MOST_PAUSES);
  }
}

/** For how long how many wrote at once. */
function timeByLanes(stretches: readonly Overlap[]): TimelinePicture['overlaps'] {
  const times = new Map<number, Nanos>();
  for (const { lanes, earliest, latest } of stretches)
    times.set(lanes, (times.get(lanes) ?? 0n) + latest - earliest);
  return [...times]
    .sort(([a], [b]) => b - a)
    .slice(0, MOST_OVERLAPS)
    .map(([lanes, time]) => ({ lanes, time: String(time) }));
}

function joinBuckets(values: readonly number[], by: number, divisor: number): number[] {
  if (by === 1) return [...values];
  return Array.from({ length: values.length / by }, (_, index) => {
    const sum = values.slice(index * by, (index + 1) * by).reduce((all, value) => all + value, 0);
    return divisor === 1 ? sum : Math.round((sum / divisor) * SHARE_DIGITS ** 2) / SHARE_DIGITS ** 2;
  });
}

function addLanes(a: Lane, b: Lane): Lane {
  const both = (x: readonly number[], y: readonly number[]): number[] =>
    x.map((value, index) => value + (y[index] ?? 0));
  return {
    lane: null,
    files: a.files + b.files,
    packets: a.packets + b.packets,
    capturedBytes: a.capturedBytes + b.capturedBytes,
    wireBytes: a.wireBytes + b.wireBytes,
    outOfOrderFiles: a.outOfOrderFiles + b.outOfOrderFiles,
    beginning: a.beginning < b.beginning ? a.beginning : b.beginning,
    end: a.end > b.end ? a.end : b.end,
    packetsOver: both(a.packetsOver, b.packetsOver),
    writtenOver: both(a.writtenOver, b.writtenOver).map((share) => Math.min(1, share)),
    pauses: a.pauses + b.pauses,
    longestPauses: [...a.longestPauses, ...b.longestPauses]
      .sort((x, y) => Number(BigInt(y.length) - BigInt(x.length)))
      .slice(0, MOST_PAUSES),
  };
}
