// Tries again what may pass: exponential back-off with full jitter (a random pause up to a bound that doubles), so that
// many workers that were slowed down together do not come back together. The number of vain attempts is bounded.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../errors/failure.ts';

export interface RetryPolicy {
  /** Attempts in a row that may fail. */
  readonly attempts: number;
  /** Bound of the first pause; it doubles up to the longest. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

/**
 * @param attempt what to try; a Failure that is not `retryable`, and anything else it throws, is final
 * @param progressed asked after a failed attempt: true where it brought something, so that counting begins anew
 * @throws the last attempt's failure, or the signal's reason
 */
export async function retrying<T>(
  policy: RetryPolicy,
  signal: AbortSignal | null,
  attempt: () => Promise<T>,
  progressed: () => boolean = () => false,
): Promise<T> {
  let vain = 0;
  for (;;) {
    try {
      return await attempt();
    } catch (thrown) {
      signal?.throwIfAborted();
      vain = progressed() ? 1 : vain + 1;
      if (!(thrown instanceof Failure) || !thrown.retryable || vain >= policy.attempts) throw thrown;
      const bound = Math.min(policy.longestPauseMs, policy.firstPauseMs * 2 ** (vain - 1));
      await sleep(Math.random() * bound, undefined, signal ? { signal } : {});
    }
  }
}
