const EVERY_MS = 500;

/**
 * Writes twice a second at most, one write at a time; what comes meanwhile is told by the next one. A write that fails
 * holds nothing up.
 * @returns tells a value, where `atOnce` whenever no write is under way; false: it was passed over
 */
export function sparingly<Value>(
  write: (value: Value) => Promise<unknown>,
): (value: Value, atOnce?: boolean) => boolean {
  let at = Number.NEGATIVE_INFINITY;
  let isWriting = false;
  return (value, atOnce = false) => {
    const now = performance.now();
    if (isWriting || (!atOnce && now - at < EVERY_MS)) return false;
    at = now;
    isWriting = true;
    write(value)
      .catch(() => undefined)
      .finally(() => {
        isWriting = false;
      });
    return true;
  };
}
