/** The coordinator's API in this process, over a real Redis and a real socket; no run is carried through. */
import { bullBoard } from '@capfleet/coordinator/adapters/bull-board';
import { mapQueueCounts } from '@capfleet/coordinator/adapters/bullmq-queue-counts';
import { redisMapStore } from '@capfleet/coordinator/adapters/redis-map-store';
import { redisPlanStore } from '@capfleet/coordinator/adapters/redis-plan-store';
import { redisRunWorld, type OpenRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { redisSetStore } from '@capfleet/coordinator/adapters/redis-set-store';
import { buildApi } from '@capfleet/coordinator/http/build-api';
import { coordinatorMetrics } from '@capfleet/coordinator/metrics';
import { silentLogger } from '@capfleet/shared/log/logger';
import { redisHealth } from '@capfleet/shared/redis/health';
import { fenceOf } from '@capfleet/shared/source/roots';
import { TOKEN } from './start-capfleet.ts';
import type { AfterHook } from './temp-dir.ts';

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
  /** Of a refusal. */
  code: string;
  message: string;
}

export interface CoordinatorApi {
  readonly url: string;
  readonly world: OpenRunWorld;
  /** With the token, unless another authorization is given. */
  ask(path: string, init?: RequestInit): Promise<Answer>;
}

/** @param roots where it may read */
export async function startApi(t: AfterHook, redis: string, roots = ['/']): Promise<CoordinatorApi> {
  const log = silentLogger();
  const world = redisRunWorld(redis, log);
  const [health, sets, plans] = [
    redisHealth(redis, 'test', log),
    redisSetStore(redis, log),
    redisPlanStore(redis, log),
  ];
  const keeper = { take: () => undefined };
  const closing = new AbortController().signal;
  const maps = redisMapStore(redis, 'test', log);
  const mapQueue = mapQueueCounts(redis, log);
  const board = bullBoard(redis, log);
  const stores = { sets, plans, maps, mapQueue, board };
  const kept = { ...world, ...stores, keeper, mapKeeper: keeper, mayRead: fenceOf(roots) };
  const app = await buildApi({
    ...kept,
    health,
    metrics: coordinatorMetrics(),
    startSkew: () => ({ measured: '500000000', clockBound: '250000000' }),
    closing,
    token: TOKEN,
    page: null,
    version: '1',
    log,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(async () => {
    await app.close();
    await Promise.all([mapQueue.close(), board.close()]);
    for (const each of [health, sets, plans, maps]) each.close();
    await world.close();
  });
  return {
    url,
    world,
    async ask(path, init = {}) {
      const headers = { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) };
      const response = await fetch(`${url}${path}`, { ...init, headers });
      const text = await response.text();
      const body: unknown = text === '' ? null : JSON.parse(text);
      const { code = '', message = '' } = (body as { error?: Record<string, string> } | null)?.error ?? {};
      return { status: response.status, headers: response.headers, body, code, message };
    },
  };
}

export function sending(method: string, body: unknown, type = 'application/json'): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { method, headers: { 'content-type': type }, body: text };
}
