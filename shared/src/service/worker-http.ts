// What a worker serves beside its work, for Prometheus and whoever runs it: `/metrics`, `/livez`, `/readyz`. The
// coordinator has an API of its own, which answers the same.
import fastify, { LogController, type FastifyBaseLogger } from 'fastify';
import type { Registry } from 'prom-client';
import type { Logger } from '../log/logger.ts';
import { redisHealth } from '../redis/health.ts';
import { listenOn, type ListenAddress } from './listen.ts';
import { readinessOf, type ReadyCheck } from './readiness.ts';
import { redisGauges } from './registry.ts';

const SETTING = '--metrics-listen';

export interface WorkerHttpOptions {
  readonly service: string;
  readonly listen: ListenAddress;
  readonly registry: Registry;
  readonly redis: string;
  /** Beside Redis, which every worker needs. */
  readonly checks: readonly ReadyCheck[];
  /** Called before the registry is read. */
  readonly refresh?: () => void;
  readonly log: Logger;
}

export interface ServedWorker {
  close(): Promise<void>;
}

/** @throws Failure `listen-failed` */
export async function serveWorker(options: WorkerHttpOptions): Promise<ServedWorker> {
  const { registry, checks } = options;
  const log: FastifyBaseLogger = options.log;
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    return503OnClosing: false,
  });
  const redis = redisHealth(options.redis, options.service, options.log);
  const gauges = redisGauges(registry);
  app.get('/metrics', async (_request, reply) => {
    gauges.set(await redis.check().catch(() => null));
    options.refresh?.();
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  // That it is answered at all is what it says.
  app.get('/livez', async () => ({ alive: true }));
  for (const path of ['/readyz', '/healthz']) {
    app.get(path, async (_request, reply) => {
      const readiness = await readinessOf([() => redis.checkWrites(), ...checks]);
      return reply.code(readiness.ready ? 200 : 503).send(readiness);
    });
  }
  const address = await listenOn(app, options.listen, SETTING).catch((thrown: unknown) => {
    redis.close();
    throw thrown;
  });
  options.log.info({ address }, 'metrics served');
  return {
    async close() {
      await app.close();
      redis.close();
    },
  };
}
