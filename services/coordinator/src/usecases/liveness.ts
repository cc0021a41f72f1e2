// Notices agents whose registration is gone, that were replaced by another instance, or ended their play unheard; and
// those that come back.
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import type { RunEvent, RunState } from '../domain/run-state.ts';
import type { SensorChannel } from '../ports/sensor-channel.ts';

const PAUSE_MS = 1000;
/** Checks in a row that must miss a registration before its agent counts as lost. */
const LOST_AFTER = 3;

interface Watched {
  instance: string | null;
  /** Of the agent that was prepared last. */
  place: string | null;
  missed: number;
  /** `performance.now()` when it was missed for the first time since it last played; null: it plays. */
  awaySince: number | null;
}

export class Liveness {
  readonly #channel: Pick<SensorChannel, 'registrations'>;
  readonly #run: string;
  readonly #rejoinMs: number | null;
  readonly #watched: Map<string, Watched>;
  #next = performance.now() + PAUSE_MS;

  /** @param rejoinMs for so long an agent that was lost while it played may come back; null: it may not */
  constructor(
    channel: Pick<SensorChannel, 'registrations'>,
    run: string,
    sensors: readonly string[],
    registered: ReadonlyMap<string, Registration>,
    rejoinMs: number | null,
  ) {
    this.#channel = channel;
    this.#run = run;
    this.#rejoinMs = rejoinMs;
    this.#watched = new Map(
      sensors.map((sensor) => {
        const instance = registered.get(sensor)?.instance ?? null;
        return [sensor, { instance, place: null, missed: 0, awaySince: null }];
      }),
    );
  }

  /** What has come about since the last look, a second ago at least. */
  async look(state: RunState): Promise<RunEvent[]> {
    const now = performance.now();
    if (now < this.#next) return [];
    this.#next = now + PAUSE_MS;
    const registered = await this.#channel.registrations([...this.#watched.keys()]);
    const events: RunEvent[] = [];
    for (const [sensor, watched] of this.#watched) {
      const event = this.#eventOf(state, sensor, watched, registered.get(sensor), now);
      if (event !== null) events.push({ type: event, sensor });
    }
    return events;
  }

  #eventOf(
    { phase, sensors }: RunState,
    sensor: string,
    watched: Watched,
    found: Registration | undefined,
    now: number,
  ): 'lost' | 'found' | 'returned' | 'gone' | null {
    const { isAway = false, acknowledged = false, ready = null } = sensors.get(sensor) ?? {};
    // By its own word: who is registered when a run is taken over may be another one already.
    if (ready) watched.place = ready.place;
    const isSame = found?.instance === watched.instance;
    const isThere = found && isSame && (phase === 'preparing' || found.busyWith === this.#run);
    watched.missed = isThere ? 0 : watched.missed + 1;
    if (isThere && acknowledged) watched.awaySince = null;
    else watched.awaySince ??= now;
    if (!isAway) return watched.missed === LOST_AFTER ? 'lost' : null;
    if (isThere) return 'found';
    if (this.#rejoinMs !== null && now - (watched.awaySince ?? now) > this.#rejoinMs) return 'gone';
    // An agent elsewhere cannot know whether the one before still plays.
    if (found?.busyWith !== null || found.place !== watched.place) return null;
    watched.instance = found.instance;
    watched.missed = 0;
    return 'returned';
  }
}
