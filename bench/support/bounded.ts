// A benchmark that leaves nothing behind, however it ends, and does not go on for ever.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder for this process alone, gone with it; Ctrl-C ends it in order, and so does the limit.
 * @param clear ends what it started, at the exit
 */
export function bounded(name: string, limitMs: number, clear: () => void = () => undefined): string {
  const folder = mkdtempSync(join(process.env['CAPFLEET_BENCH_DIR'] ?? tmpdir(), `capfleet-${name}-`));
  process.on('exit', () => {
    clear();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
  setTimeout(() => {
    console.error(`not done after ${limitMs / 60_000} minutes`);
    process.exit(1);
  }, limitMs).unref();
  return folder;
}
