// A run by the beginning of its id, as git and docker take theirs.
import { Failure } from '@capfleet/shared/errors/failure';

const SHORTEST = 4;
/** A whole id. */
const WHOLE = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const MOST_NAMED = 5;

/**
 * @param known asked for only where the id is not whole
 * @returns the id; the text as it is where it is the beginning of none
 * @throws Failure `setting-invalid`, `run-ambiguous`
 */
export async function runOfPrefix(
  text: string,
  known: () => Promise<readonly { readonly run: string }[]>,
): Promise<string> {
  if (WHOLE.test(text)) return text;
  if (text.length < SHORTEST) {
    const reason = `"${text}" is no run's id, nor ${String(SHORTEST)} characters or more of its beginning`;
    throw new Failure('setting-invalid', { setting: '<run>', reason, command: 'stop' });
  }
  const runs = (await known()).map(({ run }) => run);
  if (runs.includes(text)) return text;
  const meant = runs.filter((run) => run.startsWith(text));
  if (meant.length > 1) {
    const more = meant.length > MOST_NAMED ? `, and ${String(meant.length - MOST_NAMED)} more` : '';
    throw new Failure('run-ambiguous', { run: text, runs: meant.slice(0, MOST_NAMED).join(', ') + more });
  }
  return meant[0] ?? text;
}
