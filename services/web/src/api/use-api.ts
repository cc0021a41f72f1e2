// What a view shows of the API: asked for when it opens, and again now and then while it is looked at.
import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useState } from 'preact/hooks';
import type { Client } from './client.ts';
import type { Lost } from './follow.ts';
import { Refused } from './refused.ts';

/** What is asked for again and again answers soon, or is not there. */
const POLL_MS = 20_000;

export const ClientContext = createContext<Client | null>(null);

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error('nobody is signed in');
  return client;
}

export interface Loaded<T> {
  readonly data: T | null;
  readonly refused: Refused | null;
  /** Why the data are not those of now, where they are there. */
  readonly lost: Lost | null;
  readonly again: () => void;
}

interface Answer<T> {
  readonly of: string | null;
  readonly data: T | null;
  /** When the data came, ms since the epoch. */
  readonly at: number | null;
  readonly refused: Refused | null;
}

/**
 * @param path null: nothing is asked for
 * @param every ms until it is asked for again; 0: never
 */
export function useApi<T>(path: string | null, every = 0): Loaded<T> {
  const client = useClient();
  const [state, setState] = useState<Answer<T>>({ of: null, data: null, at: null, refused: null });
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => {
    setTurn((before) => before + 1);
  }, []);
  useEffect(() => {
    if (path === null) return;
    const closed = new AbortController();
    const load = async (): Promise<void> => {
      try {
        const { signal } = closed;
        const data = await client.get<T>(path, every > 0 ? { signal, withinMs: POLL_MS } : { signal });
        setState({ of: path, data, at: Date.now(), refused: null });
      } catch (error) {
        if (closed.signal.aborted) return;
        const failed = error instanceof Refused ? error : new Refused(0, String(error));
        const refused = every > 0 ? failed.hinted('it is asked again') : failed;
        // What was there stays to be seen while the coordinator is away.
        setState((before) =>
          before.of === path ? { ...before, refused } : { of: path, data: null, at: null, refused },
        );
      }
    };
    let timer = 0;
    const repeat = async (): Promise<void> => {
      if (!document.hidden) await load();
      if (!closed.signal.aborted) timer = window.setTimeout(() => void repeat(), every);
    };
    void (every > 0 ? repeat() : load());
    return () => {
      closed.abort();
      clearTimeout(timer);
    };
  }, [client, path, every, turn]);
  const { data, at, refused } = state.of === path ? state : { data: null, at: null, refused: null };
  const lost = refused && data !== null ? { since: at, reason: refused } : null;
  return { data, refused, lost, again };
}

/** What is followed by server-sent events: the latest of each kind. */
export interface Followed<State, Last> {
  readonly state: State | null;
  readonly last: Last | null;
  /** It cannot be followed. */
  readonly refused: Refused | null;
  /** It cannot be followed at present: what is there is how it was. */
  readonly lost: Lost | null;
}

const nothing = { state: null, last: null, refused: null, lost: null };

export function useEvents<State, Last>(path: string): Followed<State, Last> {
  const client = useClient();
  const [seen, setSeen] = useState<Followed<State, Last>>(nothing);
  useEffect(() => {
    const closed = new AbortController();
    setSeen(nothing);
    client
      .follow(path, {
        onEvent(event, data) {
          if (event === 'state') setSeen((before) => ({ ...before, state: data as State }));
          else setSeen((before) => ({ ...before, last: data as Last }));
        },
        onLost(lost) {
          setSeen((before) => ({ ...before, lost }));
        },
        signal: closed.signal,
      })
      .catch((error: unknown) => {
        if (error instanceof Refused) setSeen((before) => ({ ...before, lost: null, refused: error }));
      });
    return () => {
      closed.abort();
    };
  }, [client, path]);
  return seen;
}
