// The place of an agent: what it holds as long as its process lives, and no other agent of its sensor on this host holds
// at the same time. Who has the place of a former agent knows that the former one is gone, and sends nothing any more;
// Redis alone cannot tell that, an agent may be cut off from it and play on. An abstract UNIX socket is such a thing: the
// kernel keeps its names apart by network namespace, which is what an interface belongs to, and frees them by itself.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, Failure } from '@capfleet/shared/errors/failure';

const RETRY_MS = 250;
/** One that was told to end may be telling its report. */
const PATIENCE_MS = 6000;
const NAME_LETTERS = 32;

/**
 * Waits a little for a predecessor to end. Held until this process ends.
 * @param redis where the sensor is known
 * @throws Failure `sensor-taken`
 */
export async function takePlace(redis: string, sensor: string): Promise<string> {
  const hash = createHash('sha256')
    .update(JSON.stringify([redis, sensor]))
    .digest('hex');
  const name = `capfleet-${hash.slice(0, NAME_LETTERS)}`;
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await listens(name))) {
    if (performance.now() > deadline) throw new Failure('sensor-taken', { sensor });
    await sleep(RETRY_MS);
  }
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${readlinkSync('/proc/self/ns/net')} ${name}`;
}

async function listens(name: string): Promise<boolean> {
  const server = createServer((stranger) => stranger.destroy()).unref();
  server.listen(`\0${name}`);
  try {
    await once(server, 'listening');
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE') return false;
    throw error;
  }
}
