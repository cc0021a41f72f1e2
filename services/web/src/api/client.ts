// The coordinator's API as the page uses it: with the token of whoever signed in, for as long as the tab is open.
import { follow, type Follower } from './follow.ts';
import { Refused } from './refused.ts';

const TOKEN_KEY = 'capfleet-token';
const ANSWER_MS = 60_000;

export interface AskOptions {
  readonly signal?: AbortSignal;
  /** For the whole answer. */
  readonly withinMs?: number;
}

export interface Client {
  get<T>(path: string, options?: AskOptions): Promise<T>;
  /** @param inDoubt what to do where no answer came: it may have been done all the same */
  post<T>(path: string, body: object | null, inDoubt: string, options?: AskOptions): Promise<T>;
  remove(path: string): Promise<void>;
  /** Until the last event; a connection that breaks is made again. */
  follow(path: string, follower: Follower): Promise<void>;
}

export function keptToken(): string | null {
  return sessionStorage.getItem(TOKEN_KEY);
}

export function keepToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(TOKEN_KEY);
  else sessionStorage.setItem(TOKEN_KEY, token);
}

/** @param onSignedOut the token does not hold (any more) */
export function apiClient(token: string, onSignedOut: () => void): Client {
  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token}`);
    if (typeof init.body === 'string') headers.set('content-type', 'application/json');
    const response = await fetch(`./v1/${path}`, { ...init, headers }).catch((error: unknown) => {
      if (init.signal?.aborted === true) throw error;
      throw new Refused(0, 'the coordinator does not answer');
    });
    if (response.ok) return response;
    if (response.status === 401) onSignedOut();
    throw await refusalOf(response);
  }

  async function answer(
    path: string,
    init: RequestInit,
    { signal, withinMs = ANSWER_MS }: AskOptions = {},
  ): Promise<string> {
    const patience = AbortSignal.timeout(withinMs);
    try {
      const response = await ask(path, {
        ...init,
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
      });
      return await response.text();
    } catch (error) {
      if (error instanceof Refused || signal?.aborted === true) throw error;
      throw new Refused(
        0,
        patience.aborted
          ? `the coordinator did not answer within ${String(withinMs / 1000)} s`
          : 'the connection to the coordinator broke',
      );
    }
  }

  return {
    get: async <T>(path: string, options?: AskOptions) => JSON.parse(await answer(path, {}, options)) as T,
    post: async <T>(path: string, body: object | null, inDoubt: string, options?: AskOptions) => {
      const init = { method: 'POST', ...(body && { body: JSON.stringify(body) }) };
      try {
        return JSON.parse(await answer(path, init, options)) as T;
      } catch (error) {
        throw error instanceof Refused ? error.hinted(inDoubt) : error;
      }
    },
    remove: async (path) => {
      await answer(path, { method: 'DELETE' });
    },
    follow: (path, follower) => follow((signal) => ask(path, { signal }), follower),
  };
}

async function refusalOf(response: Response): Promise<Refused> {
  const text = await response.text().catch(() => '');
  try {
    const { error } = JSON.parse(text) as { error: { message: string; hint?: string } };
    return new Refused(response.status, error.message, error.hint);
  } catch {
    return new Refused(response.status, `the coordinator answered with status ${String(response.status)}`);
  }
}
