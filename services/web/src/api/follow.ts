// Follows server-sent events up to the last one, over connections that may break. Who looks on is told while nothing is
// known: what stands on the page then is how it was.
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { Refused } from './refused.ts';

export interface Patience {
  /** What is silent for so long is broken. */
  readonly silenceMs: number;
  /** Before it is asked again, at first. */
  readonly pauseMs: number;
}

/** Something comes each 15 s, also where nothing changes. */
const usualPatience: Patience = { silenceMs: 20_000, pauseMs: 500 };
const LONGEST_PAUSE_MS = 5000;

export interface Lost {
  /** When it was heard last, ms since the epoch; null: never. */
  readonly since: number | null;
  readonly reason: Refused;
}

export interface Follower {
  readonly onEvent: (event: string, data: unknown) => void;
  /** At each attempt that fails; null: all is as it is told again. */
  readonly onLost: (lost: Lost | null) => void;
  readonly signal: AbortSignal;
}

/**
 * @param ask for the events
 * @throws Refused where there is nothing to be followed
 */
export async function follow(
  ask: (signal: AbortSignal) => Promise<Response>,
  { onEvent, onLost, signal }: Follower,
  { silenceMs, pauseMs } = usualPatience,
): Promise<void> {
  const isLeft = (): boolean => signal.aborted;
  let since: number | null = null;
  let isLost = false;
  for (let pause = pauseMs; !isLeft(); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    let isTold = false;
    const onHeard = (): void => {
      if (isTold) since = Date.now();
    };
    let reason = new Refused(0, 'the coordinator ended the connection');
    try {
      for await (const { event = '', data } of eventsOf(ask, signal, silenceMs, onHeard)) {
        isTold = true;
        onHeard();
        pause = pauseMs;
        if (isLost) onLost(null);
        isLost = false;
        onEvent(event, JSON.parse(data) as unknown);
        if (event === 'report' || event === 'end') return;
      }
    } catch (error) {
      if (isLeft()) return;
      if (error instanceof Refused && error.status >= 400 && error.status < 500) throw error;
      reason = error instanceof Refused ? error : new Refused(0, 'the connection to the coordinator broke');
    }
    if (isLeft()) return;
    isLost = true;
    onLost({ since, reason });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** @param onHeard called for whatever comes, also for what is no event */
async function* eventsOf(
  ask: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
  silenceMs: number,
  onHeard: () => void,
): AsyncGenerator<{ event?: string | undefined; data: string }> {
  const closed = new AbortController();
  const hush = (): void => {
    closed.abort(new Refused(0, 'the coordinator fell silent'));
  };
  let timer = setTimeout(hush, silenceMs);
  try {
    const { body } = await ask(AbortSignal.any([signal, closed.signal]));
    if (!body) return;
    const heard = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        clearTimeout(timer);
        timer = setTimeout(hush, silenceMs);
        onHeard();
        controller.enqueue(chunk);
      },
    });
    const reader = body
      .pipeThrough(heard)
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream())
      .getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    const reason: unknown = closed.signal.reason;
    throw reason instanceof Refused ? reason : error;
  } finally {
    clearTimeout(timer);
    closed.abort();
  }
}
