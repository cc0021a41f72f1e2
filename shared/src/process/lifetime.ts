// How long a service process lives: until SIGINT, SIGTERM or SIGHUP, which it answers in order and within a deadline; or
// until the process that started it with an IPC channel is gone, however that ended: then it ends at once, because
// what it worked with may be gone too, and nobody waits for it. So nothing that Capfleet starts outlives it.

const END_DEADLINE_MS = 20_000;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Call it before anything else is started. Resolves once when the process should end in order; a second signal
 * ends it at once, and so does the deadline.
 */
export function untilTold(deadlineMs = END_DEADLINE_MS): Promise<void> {
  // Started with a channel, which may be gone by now.
  if (process.send) {
    if (!process.connected) process.exit(1);
    process.once('disconnect', () => process.exit(1));
  }
  return new Promise<void>((resolve) => {
    const onSignal = (): void => {
      for (const signal of signals) process.off(signal, onSignal).once(signal, exitAtOnce);
      setTimeout(exitAtOnce, deadlineMs).unref();
      resolve();
    };
    for (const signal of signals) process.on(signal, onSignal);
  });
}

function exitAtOnce(): never {
  process.exit(130);
}
