// What a sensor says after its play, and what a run's report says of all of them. Durations are ns as decimal
// strings; counts are numbers.
import { z } from 'zod';
import { failureSchema } from '../dataset/file-map.ts';
import type { Comparison } from '../verify/comparison.ts';
import { referenceClocks, systemClockSchema } from './reference-clock.ts';

const count = z.int().nonnegative();
const nanos = z.string().regex(/^-?\d{1,25}$/);

/** Why a packet that was read did not go out. */
export const refusalCauses = [
  'oversize',
  'link-type',
  'backwards',
  'filtered',
  'no-buffers',
  'link-down',
  'late',
  'stopped',
  'other',
] as const;
export type RefusalCause = (typeof refusalCauses)[number];

export const clockFactsSchema = z.object({
  /** Redis TIME = CLOCK_MONOTONIC + offset, ± bound. */
  offset: nanos,
  bound: nanos,
  roundTrip: nanos,
  probes: count,
  /** The sensor's own wall clock at the same time. */
  system: systemClockSchema,
});

const clockSetSchema = z.object({ count, total: nanos });

/** How the clocks went during a play. */
export const clockCourseSchema = z.object({
  /** Of the reference clock against this host's, in parts per billion, ± bound; 0 on the system clock, which keeps
   *  the rate of CLOCK_MONOTONIC. */
  drift: z.object({ ppb: z.int(), bound: count }),
  /** How far from the reference clock packets went out at most, by what was known at the time, ns; of the system clock
   *  by its kernel's word. */
  worstBound: nanos,
  /** By how much due times were moved by the end, to keep with the reference clock, ns. */
  slewed: nanos,
  /** How often a clock was set meanwhile, and by how much in all, ns: nothing on the wire followed it. Redis is not
   *  asked during a play on the system clock. */
  referenceSet: clockSetSchema,
  wallSet: clockSetSchema,
});

/** Of the packets that were sent so far: by how much a share of them was late at most, ns. */
export const latenessSchema = z.object({
  p50: nanos,
  p90: nanos,
  p99: nanos,
  p999: nanos,
  max: nanos,
});

/** What an interface counted of packets that leave. */
const interfaceCountsSchema = z.object({ packets: count, dropped: count, errors: count });

/** Something of the host that cost accuracy, and what to do about it. */
const playWarningSchema = z.object({
  kind: z.enum([
    'away',
    'orphaned',
    'reading',
    'realtime-denied',
    'realtime-left',
    'preempted',
    'steal',
    'governor',
  ]),
  message: z.string(),
  advice: z.string(),
});

export const accountsSchema = z.object({
  /** Packets read from the files and due in this run, of one that is split its segments instead; read = sent + the
   *  sum of refused. */
  read: count,
  sent: count,
  sentBytes: count,
  refused: z.record(z.enum(refusalCauses), count),
  /** Packets whose stamp was earlier than that of the packet before them in their file. */
  backwards: count,
  /** Packets that were put in order, and are not among those. */
  reordered: count,
  /** Of those sent, frames whose end was cut off to fit the interface. */
  truncated: count,
  /** Packets that were split because the interface does not take them whole, and the segments they became. */
  segmented: count,
  segments: count,
});

export const playResultSchema = z.object({
  outcome: z.enum(['done', 'stopped', 'failed']),
  error: failureSchema.nullable(),
  accounts: accountsSchema,
  /** Packets of the sensor's files that another sensor has in its accounts, where a set is shared by flow. */
  elsewhere: count,
  /** Frames that were dealt with in the order of the plan: sent, or refused by the pacer or the link. */
  paced: count,
  /** Due → handed to the kernel, of every packet sent; null where none was. */
  lateness: latenessSchema.nullable(),
  /** First packet: handed over − due by this agent's clock; null where none was sent. */
  startError: nanos.nullable(),
  /** Last packet: handed over − due. */
  endDrift: nanos.nullable(),
  /** Instant of the first and last hand-over on the reference clock. */
  firstSent: nanos.nullable(),
  lastSent: nanos.nullable(),
  loops: count,
  /** Time that gaps were shortened by, ns on the wire. */
  shortened: nanos,
  /** The first frame that was larger than the interface takes; null where there was none. */
  firstOversize: z.object({ path: z.string(), bytes: count, limit: count }).nullable(),
  /** Packets that were overdue when the pacer got them, because reading was behind. */
  starved: count,
  /**
   * The pacing thread: how it was to spin and on which processor; in the real-time class at the end, times it had to
   * leave it, spin margin, CPU time; times it lost its processor to another thread; bytes of memory that were locked.
   */
  pacing: z.object({
    spin: z.enum(['none', 'auto', 'max']),
    processor: count.nullable(),
    realtime: z.boolean(),
    yielded: count,
    margin: nanos,
    cpu: nanos,
    preempted: count,
    lockedBytes: count,
  }),
  /**
   * Due → taken by the interface's driver, by the kernel's transmit stamps: packets that asked for one, stamps that came.
   * Null where none was wanted.
   */
  departures: z.object({ asked: count, taken: count, lateness: latenessSchema.nullable() }).nullable(),
  /** By how much the play was paused, ns: what was sent after a pause was due that much later. */
  pauses: z.object({ count, total: nanos }),
  /** What left the interface meanwhile by its own counters; null where they are not known. */
  interfaceCounters: interfaceCountsSchema.nullable(),
  warnings: z.array(playWarningSchema),
  files: z.array(z.object({ path: z.string(), message: z.string() })),
  clock: clockFactsSchema,
  /** The clock measured again after the play. */
  clockAfter: clockFactsSchema.nullable(),
  clockCourse: clockCourseSchema,
});

export type ClockFacts = z.infer<typeof clockFactsSchema>;
export type ClockCourse = z.infer<typeof clockCourseSchema>;
export type Accounts = z.infer<typeof accountsSchema>;
export type InterfaceCounts = z.infer<typeof interfaceCountsSchema>;
export type PlayWarning = z.infer<typeof playWarningSchema>;
export type PlayResult = z.infer<typeof playResultSchema>;

export const sensorReportSchema = z.object({
  sensor: z.string(),
  interface: z.string(),
  link: z.string(),
  /** How well the clock of the run's start was known on this sensor, ns; null where no start was decided. */
  clockBound: nanos.nullable(),
  /** What became of the sensor: its result, or why there is none. */
  result: playResultSchema.nullable(),
  error: failureSchema.nullable(),
  /** Each time that it was lost while it played and came back: what its agent had told last, where it went on. */
  returns: z.array(z.object({ sent: count, position: nanos, resumed: nanos.nullable() })),
});

export const findingSchema = z.object({
  check: z.string(),
  sensor: z.string().nullable(),
  holds: z.boolean(),
  text: z.string(),
});

export const runReportSchema = z.object({
  version: z.literal(1),
  run: z.string(),
  outcome: z.enum(['done', 'stopped', 'cancelled', 'failed']),
  /** Committed start on the reference clock, RFC 3339; null where the run was cancelled before. */
  start: z.string().nullable(),
  /** The clock that the start is on, and why that one; null where no start was decided. */
  clock: z.object({ name: z.enum(referenceClocks), reason: z.string() }).nullable(),
  speed: z.string(),
  loops: count,
  sensors: z.array(sensorReportSchema),
  totals: accountsSchema,
  /** Largest difference of two sensors' start errors, and the clock bounds that add to it; null under two. */
  startSkew: z.object({ measured: nanos, clockBound: nanos }).nullable(),
  /** Why no start could be decided; left out where one was, or a sensor is the reason. */
  error: failureSchema.exactOptional(),
  verdict: z.object({ holds: z.boolean(), findings: z.array(findingSchema) }),
});

export type SensorReport = z.infer<typeof sensorReportSchema>;
export type Finding = z.infer<typeof findingSchema>;

/** What the far end of a sensor received, held against the sensor's plan. */
export interface FarEndReport {
  readonly sensor: string;
  readonly interface: string;
  /** Packets captured, those that came while there was no room for them, and the unit of their stamps. */
  readonly capture: { readonly packets: number; readonly dropped: number; readonly resolution: string };
  readonly comparison: Comparison;
  /** By how long the run was paused, ns; the plan knows of no pauses, so that the times of the comparison contain them. */
  readonly paused: string;
  /** How well the start is known by the clock of the stamps, for lateness; null where no one clock tells. */
  readonly clockBound: string | null;
  /** Why packets that arrived may not be known again, likeliest first. */
  readonly reasons: readonly string[];
}

export interface RunReport extends z.infer<typeof runReportSchema> {
  /** Left out where no far end was captured. */
  readonly farEnds?: readonly FarEndReport[];
}

export function emptyAccounts(): Accounts {
  return {
    read: 0,
    sent: 0,
    sentBytes: 0,
    refused: {
      oversize: 0,
      'link-type': 0,
      backwards: 0,
      filtered: 0,
      'no-buffers': 0,
      'link-down': 0,
      late: 0,
      stopped: 0,
      other: 0,
    },
    backwards: 0,
    reordered: 0,
    truncated: 0,
    segmented: 0,
    segments: 0,
  };
}

export function addAccounts(a: Accounts, b: Accounts): Accounts {
  const refused = emptyAccounts().refused;
  for (const cause of refusalCauses) refused[cause] = a.refused[cause] + b.refused[cause];
  return {
    read: a.read + b.read,
    sent: a.sent + b.sent,
    sentBytes: a.sentBytes + b.sentBytes,
    refused,
    backwards: a.backwards + b.backwards,
    reordered: a.reordered + b.reordered,
    truncated: a.truncated + b.truncated,
    segmented: a.segmented + b.segmented,
    segments: a.segments + b.segments,
  };
}

/** True where every packet read is accounted for. */
export function addsUp(accounts: Accounts): boolean {
  return accounts.read === refusalCauses.reduce((sum, cause) => sum + accounts.refused[cause], accounts.sent);
}
