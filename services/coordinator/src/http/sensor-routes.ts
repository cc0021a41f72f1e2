// Sensors over HTTP: who is there, how well its clock is known, which run it is busy with.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { sensorListSchema } from '@capfleet/shared/contract/api';
import { listSensors } from '../usecases/list-sensors.ts';
import type { ApiWorld } from './api-world.ts';

export function sensorRoutes({ channel }: ApiWorld): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/sensors',
      {
        schema: {
          tags: ['sensors'],
          summary: 'The sensors that are registered, by name',
          response: { 200: sensorListSchema },
        },
      },
      async () => ({ sensors: await listSensors(channel) }),
    );
  };
}
