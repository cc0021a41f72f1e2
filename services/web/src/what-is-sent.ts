// Where the packets of a plan go, as far as that is known. Pure.
import type { Registration } from '@capfleet/shared/contract/agent-messages';

export interface Place {
  readonly sensor: string;
  /** Its interface, or why that is not known. */
  readonly text: string;
  readonly isKnown: boolean;
}

/**
 * @param registered null where they are not known
 * @param isRefused they could not be asked for just now
 */
export function placesOf(
  sensors: readonly string[],
  registered: readonly Pick<Registration, 'sensor' | 'interface'>[] | null,
  isRefused: boolean,
): Place[] {
  return sensors.map((sensor) => {
    if (isRefused) return { sensor, text: 'not known at present', isKnown: false };
    if (registered === null) return { sensor, text: 'being looked up …', isKnown: false };
    const found = registered.find((each) => each.sensor === sensor);
    return { sensor, text: found?.interface ?? 'not registered', isKnown: found !== undefined };
  });
}
