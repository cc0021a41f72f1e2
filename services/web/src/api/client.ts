// The coordinator's API as the page uses it: with the token of whoever signed in, for as long as the tab is open.
import { follow, type Follower } from './follow.ts';
import { Refused } from './refused.ts';

const TOKEN_KEY = 'capfleet-token';

export interface Client {
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
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
      throw new Refused(0, 'the coordinator does not answer', 'it is asked again');
    });
    if (response.ok) return response;
    if (response.status === 401) onSignedOut();
    throw await refusalOf(response);
  }

  return {
    get: async <T>(path: string, signal?: AbortSignal) =>
      (await (await ask(path, signal ? { signal } : {})).json()) as T,
    post: async <T>(path: string, body?: object) =>
      (await (await ask(path, { method: 'POST', ...(body && { body: JSON.stringify(body) }) })).json()) as T,
    remove: async (path) => {
      await ask(path, { method: 'DELETE' });
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
