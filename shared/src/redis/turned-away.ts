// What a service asks of its Redis before it starts. It outlives a server that is away, so it also waits for one that is not
// there yet: a cluster starts its parts in any order.
import { Failure } from '../errors/failure.ts';
import { checkReachable } from './connect.ts';

/** An answer that stays the same however often one asks: no such user, a wrong password, no such database. */
const FOR_GOOD = /^(NOAUTH|WRONGPASS|NOPERM|ERR)\b/;

/**
 * @throws Failure `redis-unreachable` where the server is there and turns this client away
 * @throws Failure `redis-certificate-invalid`
 */
export async function checkNotTurnedAway(url: string): Promise<void> {
  try {
    await checkReachable(url);
  } catch (error) {
    const isAway = error instanceof Failure && error.code === 'redis-unreachable';
    if (!isAway || FOR_GOOD.test(String(error.fields['reason']))) throw error;
  }
}
