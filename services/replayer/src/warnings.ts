// What of a host cost a play its accuracy, and what to do about it. Pure, and silent about a host whose packets went out
// in time: a governor that saves power or a neighbour that steals is nobody's trouble then.
import type { PlayWarning } from '@capfleet/shared/contract/report';
import { formatDuration, type Nanos } from '@capfleet/shared/time/nanos';

/** Lateness below which nothing is said. */
const COSTLY_P99: Nanos = 100_000n;
const COSTLY_MAX: Nanos = 1_000_000n;
/** Share of the processors' time that a hypervisor may take unmentioned. */
const NOTABLE_STEAL = 0.005;

export interface PlayFacts {
  /** Null where nothing was sent, or nothing was due at a time. */
  readonly lateness: { readonly p99: Nanos; readonly max: Nanos } | null;
  /** Frequency governors of the processors that there may be paced on; empty where the kernel names none. */
  readonly governors: readonly string[];
  /** Share of the processors' time during the play that a hypervisor gave to others, 0 … 1. */
  readonly stolen: number;
  /** The real-time class was wanted. */
  readonly wantsRealtime: boolean;
  /** It was had at the end. */
  readonly realtime: boolean;
  /** Times that the thread left it because it hardly slept. */
  readonly yielded: number;
  /** Times that the thread lost its processor to another. */
  readonly preempted: number;
  /** Packets that were read too late to be on time. */
  readonly starved: number;
  /** Times that the play was away. */
  readonly lapses: number;
}

export function warningsOf(facts: PlayFacts): PlayWarning[] {
  return [...awayOf(facts), ...costsOf(facts)];
}

function awayOf({ lapses }: PlayFacts): PlayWarning[] {
  if (lapses === 0) return [];
  return [
    {
      kind: 'away',
      message: `the agent stood still for seconds ${times(lapses)}: what was due meanwhile was left out`,
      advice:
        'look for what stopped it: SIGSTOP, a debugger, a container that was frozen, a host without a moment for it',
    },
  ];
}

function costsOf(facts: PlayFacts): PlayWarning[] {
  const { lateness } = facts;
  if (!lateness || (lateness.p99 <= COSTLY_P99 && lateness.max <= COSTLY_MAX)) return [];
  const cost = `packets were up to ${formatDuration(lateness.max)} late`;
  const warnings: PlayWarning[] = [];
  const warn = (kind: PlayWarning['kind'], cause: string, advice: string): void => {
    warnings.push({ kind, message: `${cost}: ${cause}`, advice });
  };

  if (facts.starved > 0) {
    warn(
      'reading',
      `${String(facts.starved)} of them were read too late`,
      'keep the captures on a faster disk or nearer to this host, or play more slowly',
    );
  }
  if (facts.wantsRealtime && !facts.realtime && facts.yielded === 0) {
    warn(
      'realtime-denied',
      'the pacing thread was not allowed into the real-time class',
      'run as root, or give the process CAP_SYS_NICE or an rtprio limit (LimitRTPRIO=1, `ulimit -r 1`)',
    );
  }
  if (facts.yielded > 0) {
    warn(
      'realtime-left',
      `the pacing thread left the real-time class ${times(facts.yielded)}, because it did not sleep`,
      'this host is at its limit: play more slowly, over more sensors, or without --spin max',
    );
  }
  if (facts.preempted > 0) {
    warn(
      'preempted',
      `other programs took the processor from the pacing thread ${times(facts.preempted)}`,
      facts.wantsRealtime
        ? 'give the pacing thread a processor of its own (--cpu N; isolcpus or cpuset keep others off it)'
        : 'let it have the real-time class (without --no-realtime), or a processor of its own (--cpu N)',
    );
  }
  if (facts.stolen > NOTABLE_STEAL) {
    warn(
      'steal',
      `the hypervisor gave ${(facts.stolen * 100).toFixed(1)} % of this machine's time to others`,
      'play from a machine with processors of its own (dedicated or pinned), or from bare metal',
    );
  }
  const saving = facts.governors.filter((governor) => governor !== 'performance');
  if (saving.length > 0) {
    warn(
      'governor',
      `the processors save power (governor ${saving.join(', ')})`,
      'choose the governor performance: `cpupower frequency-set -g performance`',
    );
  }
  return warnings;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${String(count)} times`;
}
