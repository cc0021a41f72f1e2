// The page around the views: who is signed in, where one is, and the ways between.
import { Component, type ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { apiClient, keepToken, keptToken } from './api/client.ts';
import { Refused } from './api/refused.ts';
import { ClientContext } from './api/use-api.ts';
import { Problem } from './parts/status.tsx';
import { routeOf, type Route } from './route.ts';
import { MapsView, MapView } from './views/maps.tsx';
import { RunView } from './views/run.tsx';
import { RunsView } from './views/runs.tsx';
import { SensorsView } from './views/sensors.tsx';
import { SetView } from './views/set.tsx';
import { SetsView } from './views/sets.tsx';
import { SignIn } from './views/sign-in.tsx';

const ways = [
  ['sets', 'Data sets'],
  ['maps', 'Mappings'],
  ['sensors', 'Sensors'],
  ['runs', 'Runs'],
] as const;

export function App() {
  const [token, setToken] = useState(keptToken);
  const [hash, setHash] = useState(location.hash);
  /** Why the queues could not be opened. */
  const [refused, setRefused] = useState<Refused | null>(null);
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    const change = (): void => {
      setHash(location.hash);
      setRefused(null);
      // Who reads along is taken to what is new.
      main.current?.focus();
      scrollTo(0, 0);
    };
    addEventListener('hashchange', change);
    return () => {
      removeEventListener('hashchange', change);
    };
  }, []);
  const change = (next: string | null): void => {
    keepToken(next);
    setToken(next);
  };
  const client = useMemo(
    () =>
      token === null
        ? null
        : apiClient(token, () => {
            change(null);
          }),
    [token],
  );
  if (!client) return <SignIn onToken={change} />;
  const route = routeOf(hash);
  const openQueues = (event: Event): void => {
    event.preventDefault();
    setRefused(null);
    client.post('session', null, '').then(
      () => {
        location.assign('./queues/');
      },
      (error: unknown) => {
        setRefused(error instanceof Refused ? error : new Refused(0, String(error)));
      },
    );
  };
  return (
    <ClientContext.Provider value={client}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header>
        <span class="brand">Capfleet</span>
        <nav aria-label="Main">
          <ul>
            {ways.map(([view, name]) => (
              <li key={view}>
                <a href={`#/${view}`} {...(belongsTo(route, view) && { 'aria-current': 'page' as const })}>
                  {name}
                </a>
              </li>
            ))}
            <li>
              <a href="./queues/" onClick={openQueues}>
                Queues
              </a>
            </li>
          </ul>
        </nav>
        <button
          type="button"
          onClick={() => {
            change(null);
          }}
        >
          Sign out
        </button>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Problem refused={refused} />
        <Guard key={hash}>{viewOf(route)}</Guard>
      </main>
    </ClientContext.Provider>
  );
}

function viewOf(route: Route) {
  switch (route.view) {
    case 'sets':
      return <SetsView />;
    case 'set':
      return <SetView name={route.name} />;
    case 'maps':
      return <MapsView />;
    case 'map':
      return <MapView id={route.id} />;
    case 'sensors':
      return <SensorsView />;
    case 'runs':
      return <RunsView />;
    case 'run':
      return <RunView id={route.id} />;
    case 'unknown':
      return <p>There is no such view.</p>;
  }
}

function belongsTo({ view }: Route, way: string): boolean {
  return view === way || `${view}s` === way;
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** A view that breaks takes nothing else along. */
class Guard extends Component<{ children: ComponentChildren }, { broken: string | null }> {
  static override getDerivedStateFromError(error: unknown): { broken: string } {
    return { broken: String(error) };
  }

  override state: { broken: string | null } = { broken: null };

  override render() {
    if (this.state.broken === null) return this.props.children;
    return (
      <div class="problem" role="alert">
        <strong>This view broke.</strong> {this.state.broken}
      </div>
    );
  }
}
