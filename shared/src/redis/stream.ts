// Redis streams as Capfleet uses them: every entry has named text fields, readers keep their own position.
import { reasonOf } from '../errors/failure.ts';
import type { RedisClient } from './connect.ts';

export interface StreamEntry {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

const AT_ONCE = 1000;

/**
 * Entries after `position` ('0' is the start), waiting up to `waitMs` for a first one. The connection is blocked
 * meanwhile, so it must not be shared with commands that matter.
 */
export async function readStream(
  client: RedisClient,
  key: string,
  position: string,
  waitMs: number,
): Promise<StreamEntry[]> {
  return (await readStreams(client, new Map([[key, position]]), waitMs)).get(key) ?? [];
}

/**
 * The same of several streams at once.
 * @param positions key → position
 * @returns key → entries, of those that have some
 */
export async function readStreams(
  client: RedisClient,
  positions: ReadonlyMap<string, string>,
  waitMs: number,
): Promise<Map<string, StreamEntry[]>> {
  const where = [...positions.keys(), ...positions.values()];
  const reply = await client.xread('COUNT', AT_ONCE, 'BLOCK', waitMs, 'STREAMS', ...where).catch(unblocked);
  return new Map(
    (reply ?? []).map(([key, entries]) => [key, entries.map(([id, flat]) => ({ id, fields: pairs(flat) }))]),
  );
}

/** Who waits at a server that is a replica from now on is told so; the next read is for the master. */
function unblocked(error: unknown): null {
  if (reasonOf(error).startsWith('UNBLOCKED ')) return null;
  throw error;
}

/** A transaction itself is no failure where Redis refuses a command of it. */
export function throwRefused(replies: readonly (readonly [Error | null, unknown])[] | null): void {
  for (const [error] of replies ?? []) if (error) throw error;
}

function pairs(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return fields;
}

/** JSON out of Redis as a value to be checked against a schema; undefined where it is none. */
export function parseEntry(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
