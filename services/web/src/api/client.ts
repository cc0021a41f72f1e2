// The coordinator's API as the page uses it: with the token of whoever signed in, for as long as the tab is open.
import { EventSourceParserStream } from 'eventsource-parser/stream';

const TOKEN_KEY = 'capfleet-token';

/** What the coordinator refused, in its own words. */
export class Refused extends Error {
  readonly status: number;
  readonly hint: string;

  constructor(status: number, message: string, hint = '') {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

export interface Client {
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
  remove(path: string): Promise<void>;
  /** Until the last event; a connection that breaks is made again. */
  follow(path: string, onEvent: (event: string, data: unknown) => void, signal: AbortSignal): Promise<void>;
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
    follow: async (path, onEvent, signal) => {
      const isLeft = (): boolean => signal.aborted;
      for (let pause = 500; !isLeft(); pause = Math.min(2 * pause, 5000)) {
        try {
          const response = await ask(path, { signal });
          for await (const { event = '', data } of eventsIn(response)) {
            pause = 500;
            onEvent(event, JSON.parse(data) as unknown);
            if (event === 'report' || event === 'end') return;
          }
        } catch (error) {
          if (isLeft()) return;
          if (error instanceof Refused && error.status >= 400 && error.status < 500) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },
  };
}

async function* eventsIn({ body }: Response): AsyncGenerator<{ event?: string | undefined; data: string }> {
  if (!body) return;
  const reader = body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
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
