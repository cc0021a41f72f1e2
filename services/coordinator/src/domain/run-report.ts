// The report of a run out of its state: accounts, start skew, and one verdict against thresholds.
import {
  addAccounts,
  addsUp,
  emptyAccounts,
  refusalCauses,
  type Accounts,
  type Finding,
  type PlayResult,
  type RefusalCause,
  type RunReport,
  type SensorReport,
} from '@capfleet/shared/contract/report';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { formatDuration, formatInstant, MILLISECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { checkInterface } from './interface-check.ts';
import type { RunState } from './run-state.ts';

export interface Thresholds {
  /** Largest |first hand-over − due| of a sensor. */
  readonly startError: Nanos;
  /** Largest |last hand-over − due| of a sensor. */
  readonly endDrift: Nanos;
  /** Largest difference of start errors between sensors, beside the clock bounds. */
  readonly startSkew: Nanos;
}

const defaultThresholds: Thresholds = {
  startError: MILLISECOND,
  endDrift: MILLISECOND,
  startSkew: MILLISECOND,
};

export function reportRun(
  run: string,
  state: RunState,
  plans: readonly SensorPlan[],
  thresholds: Thresholds = defaultThresholds,
): RunReport {
  const sensors: SensorReport[] = [...state.sensors].map(([sensor, { ready, result, error }]) => ({
    sensor,
    interface: ready?.interface ?? '',
    link: ready?.link ?? '',
    clockBound: clockBoundOf(state, sensor, result),
    result,
    error,
    returns: returnsOf(state, sensor),
  }));
  const totals = sensors.reduce(
    (sum, { result }) => (result ? addAccounts(sum, result.accounts) : sum),
    emptyAccounts(),
  );
  const startSkew = skewOf(sensors);
  const findings = state.cancelled === null ? findingsOf(state, sensors, plans, startSkew, thresholds) : [];
  if (state.cancelled !== null) {
    findings.push({
      check: 'started',
      sensor: null,
      holds: false,
      text: `the run was cancelled: ${state.cancelled}`,
    });
  }
  if (totals.read > 0 && totals.sent === 0 && !state.stopAsked) {
    findings.push({
      check: 'sent',
      sensor: null,
      holds: false,
      text: `none of the ${String(totals.read)} packets went out`,
    });
  }
  const [timeline] = plans;
  return {
    version: 1,
    run,
    outcome: outcomeOf(state, sensors),
    start: state.start === null || state.cancelled !== null ? null : formatInstant(state.start),
    clock: state.clock && { name: state.clock.name, reason: state.clock.reason },
    speed: timeline?.timeline.speed ?? '1/1',
    loops: timeline?.timeline.loops ?? 1,
    sensors,
    totals,
    startSkew: startSkew && {
      measured: String(startSkew.measured),
      clockBound: String(startSkew.clockBound),
    },
    ...(state.startRefused && { error: state.startRefused }),
    verdict: { holds: findings.every(({ holds }) => holds), findings },
  };
}

/** Where a sensor that was lost and came back went on: with the first packet that its next agent sent. */
function returnsOf({ sensors, start }: RunState, name: string): SensorReport['returns'] {
  const { before = [], result = null } = sensors.get(name) ?? {};
  return before.map(({ sent, position }, index) => {
    const first = index === before.length - 1 ? (result?.firstSent ?? null) : null;
    return {
      sent,
      position,
      resumed: first === null || start === null ? null : String(BigInt(first) - start),
    };
  });
}

/** As it was when the start was decided or, where that was measured again, when it was converted. */
function clockBoundOf({ clock }: RunState, sensor: string, result: PlayResult | null): string | null {
  if (clock?.name === 'redis' && result) return result.clock.bound;
  const bound = clock?.bounds.get(sensor);
  return bound === undefined ? null : String(bound);
}

function outcomeOf(state: RunState, sensors: readonly SensorReport[]): RunReport['outcome'] {
  if (state.cancelled !== null) return 'cancelled';
  if (sensors.some(({ result, error }) => error !== null || result?.outcome === 'failed')) return 'failed';
  return state.stopAsked || sensors.some(({ result }) => result?.outcome === 'stopped') ? 'stopped' : 'done';
}

interface Skew {
  readonly measured: Nanos;
  readonly clockBound: Nanos;
}

/** Largest distance of two start errors, and the two largest clock bounds that may hide in it. */
function skewOf(sensors: readonly SensorReport[]): Skew | null {
  const errors: Nanos[] = [];
  const bounds: Nanos[] = [];
  for (const { result, clockBound } of sensors) {
    if (result?.startError == null) continue;
    errors.push(BigInt(result.startError));
    bounds.push(BigInt(clockBound ?? 0));
  }
  if (errors.length < 2) return null;
  const ascending = (a: Nanos, b: Nanos): number => (a < b ? -1 : a > b ? 1 : 0);
  errors.sort(ascending);
  bounds.sort(ascending);
  return {
    measured: (errors.at(-1) ?? 0n) - (errors[0] ?? 0n),
    clockBound: (bounds.at(-1) ?? 0n) + (bounds.at(-2) ?? 0n),
  };
}

function accountsText({ accounts, firstOversize }: PlayResult, causes: readonly RefusalCause[]): string {
  const parts = [`${String(accounts.sent)} of ${String(accounts.read)} packets sent`];
  if (causes.length > 0) {
    parts.push(
      `not sent: ${causes.map((cause) => `${String(accounts.refused[cause])} ${cause}`).join(', ')}`,
    );
  }
  if (accounts.truncated > 0) parts.push(`${String(accounts.truncated)} cut off`);
  if (accounts.segmented > 0)
    parts.push(`${String(accounts.segmented)} split into ${String(accounts.segments)} segments`);
  if (firstOversize) {
    const { path, bytes, limit } = firstOversize;
    parts.push(`the first too large one has ${String(bytes)} bytes where ${String(limit)} fit, in ${path}`);
  }
  return parts.join(', ');
}

/** Packets of the files. */
function packetsOf({ read, segments, segmented }: Accounts): number {
  return read - segments + segmented;
}

/** Of a set that is shared by flow, whether each packet was one sensor's; null where that cannot be told. */
function sharingOf(
  sensors: readonly SensorReport[],
  plans: readonly SensorPlan[],
): Pick<Finding, 'holds' | 'text'> | null {
  // An end by time comes before packets that are not sent, which nobody else knows of.
  if (!plans.every(({ share, timeline }) => share && timeline.duration === null)) return null;
  const results = sensors.flatMap(({ result }) => (result?.outcome === 'done' ? [result] : []));
  if (results.length < Math.max(1, plans.length)) return null;
  const shared = results.reduce((sum, { accounts }) => sum + packetsOf(accounts), 0);
  const seen = results.map(({ accounts, elsewhere }) => packetsOf(accounts) + elsewhere);
  return {
    holds: seen.every((packets) => packets === shared),
    text: `${String(shared)} packets were the share of one sensor each, of ${[...new Set(seen)].join(' or ')} that each of them read`,
  };
}

/** Whether the mapping tells how many packets there are to play. */
function isPlayedWhole({ timeline }: SensorPlan): boolean {
  return !timeline.windowed && timeline.limit === null && timeline.duration === null;
}

/** What is known of a sensor that gave no report. */
function lastWord(state: RunState, sensor: string, reason: string): string {
  const progress = state.sensors.get(sensor)?.progress;
  if (!progress) return reason;
  return `${reason}; it had sent at least ${String(progress.sent)} packets, ${formatDuration(BigInt(progress.position))} into the run`;
}

function findingsOf(
  state: RunState,
  sensors: readonly SensorReport[],
  plans: readonly SensorPlan[],
  skew: Skew | null,
  thresholds: Thresholds,
): Finding[] {
  const findings: Finding[] = [];
  const within = (check: string, sensor: string | null, value: Nanos, limit: Nanos, text: string): void => {
    const size = value < 0n ? -value : value;
    findings.push({
      check,
      sensor,
      holds: size <= limit,
      text: `${text} ${formatDuration(value)} (limit ${formatDuration(limit)})`,
    });
  };
  for (const { sensor, result, error, returns } of sensors) {
    for (const { sent, position, resumed } of returns) {
      const back = resumed === null ? '' : `; it was back ${formatDuration(BigInt(resumed))} into the run`;
      const text = `was lost after at least ${String(sent)} packets, ${formatDuration(BigInt(position))} into the run${back}`;
      findings.push({ check: 'there', sensor, holds: false, text });
    }
    if (!result) {
      findings.push({
        check: 'reported',
        sensor,
        holds: false,
        text: lastWord(state, sensor, error?.message ?? 'no report'),
      });
      continue;
    }
    const { accounts } = result;
    const plan = plans.find((candidate) => candidate.sensor === sensor);
    const asked = new Set<RefusalCause>([
      ...(state.stopAsked ? (['stopped'] as const) : []),
      ...(plan?.policies.oversize === 'skip' || plan?.policies.oversize === 'segment'
        ? (['oversize'] as const)
        : []),
      ...(plan?.policies.backwards === 'skip' ? (['backwards'] as const) : []),
      ...(plan?.filter ? (['filtered'] as const) : []),
    ]);
    const causes = refusalCauses.filter((cause) => accounts.refused[cause] > 0);
    const unasked = causes.filter((cause) => !asked.has(cause));
    findings.push({
      check: 'accounts',
      sensor,
      holds: addsUp(accounts) && unasked.length === 0,
      text: accountsText(result, causes),
    });
    const counted = checkInterface(result);
    if (counted) findings.push({ check: 'interface counters', sensor, ...counted });
    if (plan && result.outcome === 'done' && isPlayedWhole(plan)) {
      const packets = packetsOf(accounts) + result.elsewhere;
      const planned = plan.files.reduce((sum, file) => sum + file.packets, 0) * plan.timeline.loops;
      const exact = plan.files.every(({ estimated }) => estimated !== true);
      findings.push({
        check: 'complete',
        sensor,
        holds: (!exact || packets === planned) && result.files.length === 0,
        text: result.files[0]
          ? `${result.files[0].path}: ${result.files[0].message}`
          : `${String(packets)} of ${exact ? '' : 'about '}${String(planned)} planned packets read`,
      });
    } else if (result.files[0]) {
      const [{ path, message }] = result.files as [(typeof result.files)[0]];
      findings.push({ check: 'complete', sensor, holds: false, text: `${path}: ${message}` });
    }
    if (result.outcome === 'failed') {
      findings.push({
        check: 'played',
        sensor,
        holds: false,
        text: result.error?.message ?? 'the play failed',
      });
    }
    if (result.startError !== null) {
      within('start error', sensor, BigInt(result.startError), thresholds.startError, 'first packet off by');
    }
    if (result.endDrift !== null && result.outcome === 'done') {
      within('end drift', sensor, BigInt(result.endDrift), thresholds.endDrift, 'last packet off by');
    }
  }
  const shared = sharingOf(sensors, plans);
  if (shared) findings.push({ check: 'shared', sensor: null, ...shared });
  if (skew) {
    within(
      'start skew',
      null,
      skew.measured,
      thresholds.startSkew + skew.clockBound,
      `clocks known to ±${formatDuration(skew.clockBound)} together; sensors started within`,
    );
  }
  return findings;
}
