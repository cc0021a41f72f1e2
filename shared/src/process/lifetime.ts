// How long a service process lives: until SIGINT or SIGTERM, or until the process that started it with an IPC
// channel is gone, however that ended. So nothing that Capfleet starts outlives it.

/** Resolves once when the process should end in order; a second signal ends it at once. */
export async function untilTold(): Promise<void> {
  await new Promise<void>((resolve) => {
    const onSignal = (): void => {
      process.once('SIGINT', exitAtOnce);
      process.once('SIGTERM', exitAtOnce);
      resolve();
    };
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    if (process.connected) process.once('disconnect', resolve);
  });
  // The channel would keep the process alive.
  if (process.connected) process.disconnect();
}

function exitAtOnce(): never {
  process.exit(130);
}
