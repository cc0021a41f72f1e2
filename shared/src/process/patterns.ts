// Patterns that come from elsewhere, in a process that must not stand still.
import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 match a pattern in linear time where backtracking takes too long: one like (a+)+$ would hold up the whole
 * process, without end. Patterns that look around, refer back or count far are still matched by backtracking. Call it
 * before any pattern is made.
 */
export function boundPatterns(): void {
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
}
