// How long a service process lives: until SIGINT or SIGTERM, which it answers in order and within a deadline; or
// until the process that started it with an IPC channel is gone, however that ended: then it ends at once, because
// what it worked with may be gone too, and nobody waits for it. So nothing that Capfleet starts outlives it.

const END_DEADLINE_MS = 20_000;

/**
 * Call it before anything else is started. Resolves once when the process should end in order; a second signal
 * ends it at once, and so does the deadline.
 */
export function untilTold(): Promise<void> {
  if (process.connected) process.once('disconnect', () => process.exit(1));
  return new Promise<void>((resolve) => {
    const onSignal = (): void => {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      process.once('SIGINT', exitAtOnce).once('SIGTERM', exitAtOnce);
      setTimeout(exitAtOnce, END_DEADLINE_MS).unref();
      resolve();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  });
}

function exitAtOnce(): never {
  process.exit(130);
}
