// Mappings over HTTP: a source is mapped by the mappers of the queue, and becomes a set.
import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { mapDetailSchema, mapListSchema, mapRequestSchema } from '@capfleet/shared/contract/api';
import { isMapOver, mapIdSchema, waitingMap } from '@capfleet/shared/contract/map-record';
import { Failure } from '@capfleet/shared/errors/failure';
import { MILLISECOND } from '@capfleet/shared/time/nanos';
import type { Sight } from '../usecases/watch.ts';
import type { ApiWorld } from './api-world.ts';
import { eventsSchema, sendEvents } from './event-stream.ts';

const MOST_LISTED = 1000;
const params = z.object({ map: mapIdSchema });
const tags = ['maps'];

export function mapRoutes({
  maps,
  mapKeeper,
  mayRead,
  closing,
}: Pick<ApiWorld, 'maps' | 'mapKeeper' | 'mayRead' | 'closing'>): FastifyPluginAsyncZod {
  return async (api) => {
    api.post(
      '/maps',
      {
        schema: {
          tags,
          summary: 'Map a source into a set',
          description:
            'A coordinator lists the source, and mappers (`capfleet mapper`) read it: each sees it under the same path. The set is there, or replaced, once all is mapped.',
          body: mapRequestSchema,
          response: { 201: mapDetailSchema },
        },
      },
      async ({ body }, reply) => {
        const { pattern, workerTimeout, ...same } = body;
        if (!(await mayRead(body.source))) throw new Failure('file-outside-roots', { path: body.source });
        const map = randomUUID();
        const record = {
          v: 1,
          map,
          ...same,
          pattern: pattern?.source ?? null,
          workerTimeoutMs: Number(workerTimeout / MILLISECOND),
          created: new Date().toISOString(),
        } as const;
        await maps.create(record);
        mapKeeper.take(map);
        return reply.code(201).header('location', `/v1/maps/${map}`).send({ record, state: waitingMap });
      },
    );

    api.get(
      '/maps',
      {
        schema: {
          tags,
          summary: 'Mappings of the last day, the latest first',
          response: { 200: mapListSchema },
        },
      },
      async () => ({ maps: [...(await maps.list(MOST_LISTED))] }),
    );

    api.get(
      '/maps/:map',
      { schema: { tags, summary: 'How far a mapping is', params, response: { 200: mapDetailSchema } } },
      async ({ params: { map } }) => maps.load(map),
    );

    api.get(
      '/maps/:map/events',
      {
        schema: {
          tags,
          summary: 'Follow a mapping',
          description:
            'Server-sent events. `state`: what `GET /v1/maps/{map}` answers, at once and then at each change, a few times a second at most. `end`: the same once it is over, the last event. Comments come while nothing changes. A stream that ends without it does so because nothing is to be seen at present: ask again.',
          params,
          response: { 200: eventsSchema },
        },
      },
      async ({ params: { map } }, reply) => {
        await maps.load(map);
        const look = async (): Promise<Sight> => {
          const data = await maps.load(map);
          const isLast = isMapOver(data.state);
          return { event: isLast ? 'end' : 'state', data, isLast };
        };
        return sendEvents(reply, look, closing) as never;
      },
    );

    api.post(
      '/maps/:map/stop',
      {
        schema: {
          tags,
          summary: 'End a mapping',
          description: 'Its set stays as it was. A mapping that is over stays as it is.',
          params,
          response: { 202: mapDetailSchema },
        },
      },
      async ({ params: { map } }, reply) => {
        const asked = await maps.load(map);
        if (!isMapOver(asked.state)) await maps.askToStop(map);
        return reply.code(202).send(asked);
      },
    );
  };
}
