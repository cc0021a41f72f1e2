/**
 * Holds what was received at the far ends against what lies in the source files, with readers of its own: every
 * packet, its place in the order, its time. All received stamps are of one clock, the receiving host's.
 */
import { gunzipSync } from 'node:zlib';
import { readFile } from 'node:fs/promises';
import { readPcap, type ReadPacket } from './pcap-reader.ts';

export interface SensorSource {
  sensor: string;
  /** The sensor's files, each in the order of the plan. */
  files: readonly string[];
  /** The capture of its far end. */
  received: string;
}

export interface SensorComparison {
  sensor: string;
  expected: number;
  received: number;
  /** Packets that arrived with the right bytes at the right place of the order. */
  inPlace: number;
  /** First packet that did not, or null. */
  firstWrong: number | null;
  /** First arrival minus its place on the timeline, ns: where the run's start lies on the receiver's clock. */
  start: bigint;
  /** Last packet: time since the first, received minus planned, ns. */
  endDrift: bigint;
  /** |time since the first, received − planned|, ns. */
  deviation: Quantiles;
  /** |gap to the packet before, received − planned|, ns. */
  gapError: Quantiles;
}

export interface Quantiles {
  p50: bigint;
  p90: bigint;
  p99: bigint;
  max: bigint;
}

export interface Comparison {
  sensors: SensorComparison[];
  /** Largest distance between two sensors' starts, ns. */
  startSkew: bigint;
  /** Packets that arrived before one of another sensor that lies more than the distance earlier in the source. */
  outOfOrder: { distance: bigint; packets: number }[];
}

export interface CompareOptions {
  sensors: readonly SensorSource[];
  /** Exact ratio of source time to wire time. */
  speed: { numerator: bigint; denominator: bigint };
  /** Start of the whole set, ns since the epoch. */
  base: bigint;
  /** Distances in source time, ns, at which the order between sensors is counted. */
  distances: readonly bigint[];
}

interface Arrival {
  source: bigint;
  received: bigint;
}

export async function compareReplay(options: CompareOptions): Promise<Comparison> {
  const compared: Awaited<ReturnType<typeof compareSensor>>[] = [];
  for (const sensor of options.sensors) compared.push(await compareSensor(sensor, options));
  const starts = compared.map(({ comparison }) => comparison.start).sort(ascending);
  return {
    sensors: compared.map(({ comparison }) => comparison),
    startSkew: (starts.at(-1) ?? 0n) - (starts[0] ?? 0n),
    outOfOrder: options.distances.map((distance) => ({
      distance,
      packets: countOutOfOrder(
        compared.map(({ arrivals }) => arrivals),
        distance,
      ),
    })),
  };
}

async function compareSensor(
  { sensor, files, received }: SensorSource,
  { speed, base }: CompareOptions,
): Promise<{ comparison: SensorComparison; arrivals: Arrival[] }> {
  const expected = await mergeFiles(files);
  const { packets } = readPcap(await readFile(received));
  const onWire = (time: bigint): bigint => ((time - base) * speed.denominator) / speed.numerator;
  const arrivals: Arrival[] = [];
  let inPlace = 0;
  let firstWrong: number | null = null;
  const pairs = Math.min(expected.length, packets.length);
  for (let index = 0; index < pairs; index += 1) {
    const want = expected[index] as ReadPacket;
    const got = packets[index] as ReadPacket;
    arrivals.push({ source: want.time, received: got.time });
    if (want.data.equals(got.data)) inPlace += 1;
    else firstWrong ??= index;
  }
  if (firstWrong === null && expected.length !== packets.length) firstWrong = pairs;
  const first = arrivals[0];
  const deviations = arrivals.map(({ source, received: at }) =>
    first === undefined ? 0n : at - first.received - (onWire(source) - onWire(first.source)),
  );
  const gaps = deviations.slice(1).map((deviation, index) => deviation - (deviations[index] ?? 0n));
  return {
    comparison: {
      sensor,
      expected: expected.length,
      received: packets.length,
      inPlace,
      firstWrong,
      start: first === undefined ? 0n : first.received - onWire(first.source),
      endDrift: deviations.at(-1) ?? 0n,
      deviation: quantiles(deviations),
      gapError: quantiles(gaps),
    },
    arrivals,
  };
}

/** The files as one sequence by time: ties in the order of the files, and within a file never out of its order. */
async function mergeFiles(files: readonly string[]): Promise<ReadPacket[]> {
  const all: { packet: ReadPacket; place: bigint; file: number; index: number }[] = [];
  for (const [file, path] of files.entries()) {
    const bytes = await readFile(path);
    const { packets } = readPcap(bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);
    let place = 0n;
    for (const [index, packet] of packets.entries()) {
      if (packet.time > place) place = packet.time;
      all.push({ packet, place, file, index });
    }
  }
  all.sort((a, b) => ascending(a.place, b.place) || a.file - b.file || a.index - b.index);
  return all.map(({ packet }) => packet);
}

/** Packets that arrived before another sensor's packet that lies more than `distance` earlier in the source. */
function countOutOfOrder(sensors: readonly Arrival[][], distance: bigint): number {
  let count = 0;
  for (const [own, arrivals] of sensors.entries()) {
    for (const [other, earlier] of sensors.entries()) {
      if (other === own) continue;
      let next = 0;
      let latest = -1n;
      for (const { source, received } of arrivals) {
        for (let peer = earlier[next]; peer && source - peer.source > distance; peer = earlier[++next]) {
          if (peer.received > latest) latest = peer.received;
        }
        if (received < latest) count += 1;
      }
    }
  }
  return count;
}

function quantiles(signed: readonly bigint[]): Quantiles {
  const sizes = signed.map((value) => (value < 0n ? -value : value)).sort(ascending);
  const at = (share: number): bigint => sizes[Math.max(0, Math.ceil(share * sizes.length) - 1)] ?? 0n;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
