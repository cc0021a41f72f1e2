// Whether a service can do its work now: the answer of `/readyz`, made of checks that each throw what is missing.
import { asFailure } from '../errors/failure.ts';

/** Resolves where all is well. @throws Failure that says what is not, soon */
export type ReadyCheck = () => Promise<unknown>;

export interface Readiness {
  readonly ready: boolean;
  /** What is missing, in words for a person. */
  readonly reasons: readonly string[];
}

export async function readinessOf(checks: readonly ReadyCheck[]): Promise<Readiness> {
  const found = await Promise.allSettled(checks.map((check) => check()));
  const reasons = found.flatMap((each) =>
    each.status === 'rejected' ? [asFailure(each.reason).message] : [],
  );
  return { ready: reasons.length === 0, reasons };
}
