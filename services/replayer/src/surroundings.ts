// What is looked at right before and right after a play, beside the play itself: the interface's own counters, and the
// processors of this host.
import type { InterfaceCounts } from '@capfleet/shared/contract/report';
import { governors, processorTime, stolenShare } from './adapters/host-load.ts';
import { countersSince, interfaceCounters } from './adapters/interface-counters.ts';
import { interfaceOf, type LinkChoice } from './link.ts';

export interface Surroundings {
  readonly counters: InterfaceCounts | null;
  readonly governors: readonly string[];
  readonly stolen: number;
}

/** Looks now, and again when the result is called with the number of packets sent. */
export function watchSurroundings(
  link: LinkChoice,
  cpu: number | null,
): (sent: number) => Promise<Surroundings> {
  const name = interfaceOf(link);
  const countersBefore = name === null ? null : interfaceCounters(name);
  const timeBefore = processorTime();
  return async (sent) => {
    const stolen = stolenShare(timeBefore, processorTime());
    const counters = name === null ? null : await countersSince(name, countersBefore, sent);
    return { counters, governors: governors(cpu), stolen };
  };
}
