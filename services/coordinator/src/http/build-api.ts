// The HTTP API as a Fastify server: routes below /v1 for who has the token; the health, the OpenAPI document and the page,
// which asks for the token itself, for all.
import swagger from '@fastify/swagger';
import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import { healthSchema, livenessSchema, readinessSchema, refusalSchema } from '@capfleet/shared/contract/api';
import { readinessOf } from '@capfleet/shared/service/readiness';
import type { ApiWorld } from './api-world.ts';
import { refuse } from './refusal.ts';
import { refuseUnknown } from './unknown-route.ts';
import { mapRoutes } from './map-routes.ts';
import { serveMetrics } from './metrics.ts';
import { protectAnswers, servePage } from './page.ts';
import { planRoutes } from './plan-routes.ts';
import { serveQueuePages } from './queue-pages.ts';
import { runRoutes } from './run-routes.ts';
import { sensorRoutes } from './sensor-routes.ts';
import { readCookies, sessionRoutes } from './session.ts';
import { setRoutes } from './set-routes.ts';
import { tokenCheck } from './token.ts';

/** Of a request whose route says no other. */
const BODY_BYTES = 1024 ** 2;
const REQUEST_MS = 60_000;

export async function buildApi(world: ApiWorld): Promise<FastifyInstance> {
  const { health, version } = world;
  const log: FastifyBaseLogger = world.log;
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: refuse,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    exposeHeadRoutes: false,
    // What is under way is answered when the service ends; streams of events end by themselves.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(refuse);
  refuseUnknown(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Capfleet coordinator',
        description: 'Replays packet-capture data sets on many sensors at one instant.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });

  await protectAnswers(app);
  await readCookies(app);
  serveMetrics(app, world);

  const open = app.withTypeProvider<ZodTypeProvider>();
  open.get(
    '/healthz',
    {
      schema: {
        tags: ['service'],
        summary: 'Whether the service can do anything: whether its Redis answers',
        response: { 200: healthSchema, 503: healthSchema },
      },
    },
    async (_request, reply) => {
      const redis = await health.check().then(
        () => true,
        () => false,
      );
      return reply.code(redis ? 200 : 503).send({ version, redis });
    },
  );
  open.get(
    '/livez',
    {
      schema: {
        tags: ['service'],
        summary: 'Whether the process is alive: it answers',
        response: { 200: livenessSchema },
      },
    },
    async () => ({ alive: true as const }),
  );
  open.get(
    '/readyz',
    {
      schema: {
        tags: ['service'],
        summary: 'Whether the service can do its work now, and what is missing',
        response: { 200: readinessSchema, 503: readinessSchema },
      },
    },
    async (_request, reply) => {
      const { ready, reasons } = await readinessOf([() => health.check()]);
      return reply.code(ready ? 200 : 503).send({ ready, reasons: [...reasons] });
    },
  );
  open.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());

  await app.register(
    async (api) => {
      api.addHook('onRoute', ({ schema }) => {
        if (!schema) return;
        schema.security = [{ token: [] }];
        schema.response = { ...Object(schema.response), '4xx': refusalSchema, '5xx': refusalSchema };
      });
      const checkToken = await tokenCheck(api, world.token);
      api.addHook('onRequest', async (request) => {
        await checkToken(request);
        await health.check();
      });
      await api.register(runRoutes(world));
      await api.register(sensorRoutes(world));
      await api.register(mapRoutes(world));
      await api.register(setRoutes(world));
      await api.register(planRoutes(world));
      await api.register(sessionRoutes(world.token));
    },
    { prefix: '/v1' },
  );
  await serveQueuePages(app, world);
  await servePage(app, world.page);
  await app.ready();
  return app;
}

z.globalRegistry.add(refusalSchema, { id: 'Refusal' });
