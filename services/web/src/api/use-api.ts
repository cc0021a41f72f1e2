// What a view shows of the API: asked for when it opens, and again now and then while it is looked at.
import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useState } from 'preact/hooks';
import { Refused, type Client } from './client.ts';

export const ClientContext = createContext<Client | null>(null);

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error('nobody is signed in');
  return client;
}

export interface Loaded<T> {
  readonly data: T | null;
  readonly refused: Refused | null;
  readonly again: () => void;
}

/**
 * @param path null: nothing is asked for
 * @param every ms until it is asked for again; 0: never
 */
export function useApi<T>(path: string | null, every = 0): Loaded<T> {
  const client = useClient();
  const [state, setState] = useState<{ of: string | null; data: T | null; refused: Refused | null }>({
    of: null,
    data: null,
    refused: null,
  });
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => {
    setTurn((before) => before + 1);
  }, []);
  useEffect(() => {
    if (path === null) return;
    const closed = new AbortController();
    const load = async (): Promise<void> => {
      try {
        setState({ of: path, data: await client.get<T>(path, closed.signal), refused: null });
      } catch (error) {
        if (closed.signal.aborted) return;
        const refused = error instanceof Refused ? error : new Refused(0, String(error));
        // What was there stays to be seen while the coordinator is away.
        setState((before) => ({ of: path, data: before.of === path ? before.data : null, refused }));
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
  const isCurrent = state.of === path;
  return { data: isCurrent ? state.data : null, refused: isCurrent ? state.refused : null, again };
}

/** What is followed by server-sent events: the latest of each kind. */
export interface Followed<State, Last> {
  readonly state: State | null;
  readonly last: Last | null;
  readonly refused: Refused | null;
}

export function useEvents<State, Last>(path: string): Followed<State, Last> {
  const client = useClient();
  const [seen, setSeen] = useState<Followed<State, Last>>({
    state: null,
    last: null,
    refused: null,
  });
  useEffect(() => {
    const closed = new AbortController();
    setSeen({ state: null, last: null, refused: null });
    client
      .follow(
        path,
        (event, data) => {
          if (event === 'state') setSeen((before) => ({ ...before, state: data as State }));
          else setSeen((before) => ({ ...before, last: data as Last }));
        },
        closed.signal,
      )
      .catch((error: unknown) => {
        if (error instanceof Refused) setSeen((before) => ({ ...before, refused: error }));
      });
    return () => {
      closed.abort();
    };
  }, [client, path]);
  return seen;
}
