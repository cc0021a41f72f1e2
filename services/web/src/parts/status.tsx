// Small parts that all views share: what went wrong, that something is awaited, a state in one word.
import type { ComponentChildren } from 'preact';
import type { Lost } from '../api/follow.ts';
import type { Refused } from '../api/refused.ts';
import { instant } from '../format.ts';

export function Problem({ refused }: { readonly refused: Refused | null }) {
  if (!refused) return null;
  return (
    <div class="problem" role="alert">
      <strong>{refused.message}</strong>
      {refused.hint === '' ? null : <span> {refused.hint}</span>}
    </div>
  );
}

/** That what stands here is how it was, and since when. It is always there, so that what comes into it is said aloud. */
export function NotCurrent({ lost }: { readonly lost: Lost | null }) {
  const since = lost?.since == null ? null : instant(new Date(lost.since).toISOString());
  return (
    <p role="status" class={lost ? 'problem' : 'unseen'}>
      {lost && (
        <>
          <strong>{since === null ? 'Nothing is known yet' : `Not current since ${since}`}:</strong>{' '}
          {lost.reason.message}; it is asked again.
        </>
      )}
    </p>
  );
}

export function Waiting({ what }: { readonly what: string }) {
  return <p class="quiet">Loading {what} …</p>;
}

const looks: Readonly<Record<string, string>> = {
  done: 'good',
  holds: 'good',
  up: 'good',
  failed: 'bad',
  'does not hold': 'bad',
  down: 'bad',
  cancelled: 'bad',
  lost: 'bad',
  orphaned: 'warn',
  stopped: 'warn',
  stopping: 'warn',
};

/** The word carries the meaning, the colour only helps. */
export function State({ word }: { readonly word: string }) {
  return <span class={`state ${looks[word] ?? 'plain'}`}>{word}</span>;
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** @param columns heads of its columns; `number`: of one that is set flush right */
export function Table({
  columns,
  children,
}: {
  readonly columns: readonly (string | { readonly number: string })[];
  readonly children: ComponentChildren;
}) {
  return (
    <table>
      <thead>
        <tr>
          {columns.map((column) =>
            typeof column === 'string' ? (
              <th key={column} scope="col">
                {column}
              </th>
            ) : (
              <th key={column.number} scope="col" class="number">
                {column.number}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

/** A table that may be wider than the screen scrolls by itself, also by the keyboard. */
export function Wide({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
