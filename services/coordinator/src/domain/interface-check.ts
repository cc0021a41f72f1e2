// What the interface counted, held against what was sent. Fewer packets are lost ones. More are not of this run, which a
// reader of the report must know and which is no fault of it. Where the interface dropped packets, those of the run may be
// among them, unless it is as many as are known not to have been taken.
import type { PlayResult } from '@capfleet/shared/contract/report';

/** Null where the interface's counters are not known. */
export function checkInterface({
  accounts,
  interfaceCounters: counted,
}: PlayResult): { readonly holds: boolean; readonly text: string } | null {
  if (counted === null) return null;
  const { sent, refused } = accounts;
  const said = [`the interface counted ${String(counted.packets)} packets, ${String(sent)} were sent`];
  if (counted.packets < sent) said.push(`${String(sent - counted.packets)} are lost`);
  if (counted.packets > sent) said.push(`${String(counted.packets - sent)} are not of this run`);
  const known = refused['link-down'] + refused['no-buffers'];
  const dropped = counted.dropped + counted.errors;
  if (dropped > 0)
    said.push(`it dropped ${String(counted.dropped)} and failed with ${String(counted.errors)}`);
  return { holds: counted.packets >= sent && dropped <= known, text: said.join('; ') };
}
