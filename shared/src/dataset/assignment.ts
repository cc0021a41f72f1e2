// Which sensor plays which file. Pure and deterministic: the same set and the same sensors give the same shares.
// Every file goes to exactly one sensor; by flow, to all of them, and each of its packets to one.
import { dirname } from 'node:path/posix';
import { Failure } from '../errors/failure.ts';
import type { FlowSharePlan } from '../flow/flow-share.ts';
import type { TimedFile } from './dataset.ts';
import type { PathPattern } from '../source/path-pattern.ts';

export interface SensorPattern {
  readonly sensor: string;
  readonly pattern: PathPattern;
}

export type AssignmentRule =
  /** Keeps the files of one capture thread together, of one folder together, or spreads file by file. */
  | { readonly by: 'lane' | 'folder' | 'size' }
  /** Keeps the packets of one conversation together, whatever files they are in. */
  | { readonly by: 'flow'; readonly tunnels: FlowSharePlan['tunnels'] }
  /** The first pattern that a file's path matches decides. */
  | { readonly by: 'pattern'; readonly patterns: readonly SensorPattern[] };

export type Shares = ReadonlyMap<string, readonly TimedFile[]>;

/**
 * @param sensors in the order the user gave; each is a key of the result, even with an empty share
 * @throws Failure `assignment-uncovered`, `assignment-sensor`
 */
export function assign(
  files: readonly TimedFile[],
  sensors: readonly string[],
  rule: AssignmentRule,
): Shares {
  switch (rule.by) {
    case 'pattern':
      return assignByPattern(files, sensors, rule.patterns);
    case 'flow':
      return new Map(sensors.map((sensor) => [sensor, files]));
    case 'lane':
      return balance(files, sensors, (file) => `lane ${String(file.lane)}`);
    case 'folder':
      return balance(files, sensors, (file) => dirname(file.map.name));
    case 'size':
      return balance(files, sensors, (file) => file.map.path);
  }
}

/** Groups go whole, the one with the most packets first, each to the sensor with the fewest packets so far. */
function balance(
  files: readonly TimedFile[],
  sensors: readonly string[],
  groupOf: (file: TimedFile) => string,
): Shares {
  const groups = new Map<string, { packets: number; files: TimedFile[] }>();
  for (const file of files) {
    const key = groupOf(file);
    const group = groups.get(key) ?? { packets: 0, files: [] };
    group.packets += file.map.packets;
    group.files.push(file);
    groups.set(key, group);
  }
  const loads = sensors.map((sensor) => ({ sensor, packets: 0, files: [] as TimedFile[] }));
  for (const group of [...groups.values()].sort((a, b) => b.packets - a.packets)) {
    const [first, ...others] = loads;
    if (!first) break;
    const least = others.reduce((best, load) => (load.packets < best.packets ? load : best), first);
    least.packets += group.packets;
    least.files.push(...group.files);
  }
  const position = new Map(files.map((file, index) => [file, index]));
  return new Map(
    loads.map((load) => [
      load.sensor,
      load.files.sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0)),
    ]),
  );
}

function assignByPattern(
  files: readonly TimedFile[],
  sensors: readonly string[],
  patterns: readonly SensorPattern[],
): Shares {
  const shares = new Map<string, TimedFile[]>(sensors.map((sensor) => [sensor, []]));
  for (const { sensor } of patterns) {
    if (!shares.has(sensor)) throw new Failure('assignment-sensor', { sensor });
  }
  const uncovered: TimedFile[] = [];
  for (const file of files) {
    const match = patterns.find(({ pattern }) => pattern.test(file.map.path));
    if (match) shares.get(match.sensor)?.push(file);
    else uncovered.push(file);
  }
  const [first] = uncovered;
  if (first) {
    throw new Failure('assignment-uncovered', {
      count: uncovered.length,
      path: first.map.path,
      sensor: sensors[0] ?? 'NAME',
    });
  }
  return shares;
}
