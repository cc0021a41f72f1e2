// The health check of the images: whether the service on that port says that it can do its work.
const [port] = process.argv.slice(2);
try {
  const { ok, status } = await fetch(`http://127.0.0.1:${port}/readyz`, {
    signal: AbortSignal.timeout(2500),
  });
  if (!ok) throw new Error(`answered ${status}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
