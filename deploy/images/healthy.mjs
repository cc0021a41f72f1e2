// The health check of the images: whether the service, wherever it was told to listen, says that it can do its work.
const { CAPFLEET_LISTEN, CAPFLEET_METRICS_LISTEN } = process.env;
const [, host, port] = /^(.*):(\d+)$/.exec(CAPFLEET_LISTEN ?? CAPFLEET_METRICS_LISTEN ?? '') ?? [];
const anywhere = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' };
try {
  const { ok, status } = await fetch(`http://${anywhere[host] ?? host}:${port}/readyz`, {
    signal: AbortSignal.timeout(2500),
  });
  if (!ok) throw new Error(`answered ${status}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
