// What a Redis is for Capfleet. Asks it, and writes nothing.
import { Failure } from '@capfleet/shared/errors/failure';
import { silentLogger } from '@capfleet/shared/log/logger';
import { checkReachable, connect, redactUrl } from '@capfleet/shared/redis/connect';
import { callKeyless } from '@capfleet/shared/redis/keyless';
import type { Finding } from './judge-host.ts';

/** BullMQ's. */
const VERSION_LEAST = [6, 2] as const;
const PINGS = 20;
const FAR_MS = 5;

export interface RedisFacts {
  readonly version: string;
  /** Null where the server does not say (a managed one without CONFIG and without INFO). */
  readonly policy: string | null;
  readonly appendOnly: boolean | null;
  /** The quickest answer, ms. */
  readonly roundTrip: number;
}

export async function examineRedis(url: string): Promise<Finding[]> {
  try {
    await checkReachable(url);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ check: 'Redis', verdict: 'error', found: error.message, remedy: error.hint }];
  }
  return judgeRedis(redactUrl(url), await redisFacts(url));
}

async function redisFacts(url: string): Promise<RedisFacts> {
  const client = connect(url, 'doctor', silentLogger());
  try {
    const info = String(await callKeyless(client, 'INFO'));
    const said = (key: string): string | null =>
      new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
    let roundTrip = Infinity;
    for (let n = 0; n < PINGS; n += 1) {
      const begun = performance.now();
      await callKeyless(client, 'PING');
      roundTrip = Math.min(roundTrip, performance.now() - begun);
    }
    const appendOnly = said('aof_enabled');
    return {
      version: said('redis_version') ?? '0',
      policy: said('maxmemory_policy'),
      appendOnly: appendOnly === null ? null : appendOnly === '1',
      roundTrip,
    };
  } finally {
    client.disconnect();
  }
}

export function judgeRedis(url: string, { version, policy, appendOnly, roundTrip }: RedisFacts): Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [least, leastMinor] = VERSION_LEAST;
  const isNew = major > least || (major === least && minor >= leastMinor);
  const findings: Finding[] = [
    isNew
      ? { check: 'Redis', verdict: 'ok', found: `${version} at ${url}`, remedy: null }
      : {
          check: 'Redis',
          verdict: 'error',
          found: `${version} at ${url}, and ${least}.${leastMinor} is needed`,
          remedy: 'install a newer one',
        },
  ];
  const add = (check: string, isWell: boolean, found: string, remedy: string): void => {
    findings.push({ check, verdict: isWell ? 'ok' : 'warning', found, remedy: isWell ? null : remedy });
  };
  if (policy !== null)
    add(
      'Redis: eviction',
      policy === 'noeviction',
      `maxmemory-policy ${policy}`,
      'redis-cli config set maxmemory-policy noeviction, and in redis.conf: others lose jobs',
    );
  if (appendOnly !== null)
    add(
      'Redis: persistence',
      appendOnly,
      appendOnly ? 'append-only file' : 'no append-only file: runs and mappings do not outlive the server',
      'redis-cli config set appendonly yes, and in redis.conf',
    );
  add(
    'Redis: distance',
    roundTrip < FAR_MS,
    `answers in ${roundTrip.toFixed(2)} ms at best; clocks are known to half of that`,
    'put it nearer to the sensors, or discipline their clocks (chrony, PTP) and use --clock system',
  );
  return findings;
}
