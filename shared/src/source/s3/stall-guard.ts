// Ends work on S3 that hears nothing for too long: one timer over connecting, the answer's head and its body, set back
// by every sign of life.
import { Failure } from '../../errors/failure.ts';

export interface StallGuard {
  /** Aborted where the work stalls or is given up. */
  readonly signal: AbortSignal;
  /** A sign of life. */
  alive(): void;
}

/** @throws Failure `s3-failed` where it stalled, or what the work throws */
export async function stallGuard<T>(
  stallMs: number,
  outer: AbortSignal | null,
  path: string,
  work: (guard: StallGuard) => Promise<T>,
): Promise<T> {
  const stalled = new AbortController();
  const timer = setTimeout(() => {
    const reason = `no byte came for ${String(stallMs / 1000)} s`;
    stalled.abort(new Failure('s3-failed', { path, reason }));
  }, stallMs);
  const signal = outer ? AbortSignal.any([outer, stalled.signal]) : stalled.signal;
  try {
    return await work({ signal, alive: () => void timer.refresh() });
  } catch (thrown) {
    if (stalled.signal.aborted) throw stalled.signal.reason;
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}
